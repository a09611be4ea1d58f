"""Use: at each step the model reads its own sample; after one wrong token its states are not those of training."""

from drawing import INK, OWN, QUIET, TRUE, arrow, bars, box, canvas, fed_back, save, word

SAMPLES = ["C", "(", "=", "O", "<eos>"]
INPUTS = ["<bos>", *SAMPLES[:-1]]
GUESSES = [
    (0.7, 0.15, 0.1, 0.05),
    (0.5, 0.25, 0.15, 0.1),
    (0.3, 0.25, 0.35, 0.1),
    (0.2, 0.2, 0.2, 0.4),
    (0.3, 0.2, 0.2, 0.3),
]
MARKED = [0, 1, 2, 3, 3]
WRONG_FROM = 1
STEP, LEFT = 2.2, 3.5
Y_SAMPLE, Y_BARS, Y_STATE, Y_INPUT = 5.3, 3.75, 2.55, 1.15

figure, axes = canvas(13.2, 6.2)
for t, (given, drawn) in enumerate(zip(INPUTS, SAMPLES, strict=True)):
    x = LEFT + STEP * t
    read, written = (OWN if t > WRONG_FROM else TRUE), (OWN if t >= WRONG_FROM else TRUE)
    box(axes, x, Y_INPUT, given, colour=read)
    arrow(axes, (x, Y_INPUT + 0.42), (x, Y_STATE - 0.44), read)
    box(
        axes,
        x,
        Y_STATE,
        f"h{t + 1}" + ("'" if t > WRONG_FROM else ""),
        colour=read if t > WRONG_FROM else INK,
        tint=0.05 * t,
    )
    arrow(axes, (x, Y_STATE + 0.42), (x, Y_BARS - 0.1))
    bars(axes, x, Y_BARS, GUESSES[t], MARKED[t], written)
    arrow(axes, (x, Y_BARS + max(GUESSES[t]) + 0.08), (x, Y_SAMPLE - 0.44), written)
    box(axes, x, Y_SAMPLE, drawn, colour=written)
    if t < len(SAMPLES) - 1:
        arrow(axes, (x + 0.54, Y_STATE), (x + STEP - 0.56, Y_STATE), read)
        fed_back(axes, (x + 0.5, Y_SAMPLE), (x + STEP - 0.5, Y_INPUT), written)
for y, label in (
    (Y_SAMPLE, "sampled token"),
    (Y_BARS + 0.3, "probabilities, given\nits own tokens before"),
    (Y_STATE, "state"),
    (Y_INPUT, "input:\nits own token before"),
):
    word(axes, 0.15, y, label, QUIET, 10, ha="left")
word(axes, LEFT + STEP, 5.95, "an unlikely token, drawn once in a while", OWN, 10)
word(
    axes,
    LEFT + 2 * STEP,
    0.3,
    "No teacher: the branch is never closed, from states that training never visited.",
    INK,
    11,
)
save(figure, "free_running")
