"""Training: at each step the true token goes in, whatever the model would have said."""

from drawing import INK, QUIET, TRUE, arrow, bars, box, canvas, fed_back, save, word

TRUTH = ["C", "C", "=", "O", "<eos>"]
INPUTS = ["<bos>", *TRUTH[:-1]]
GUESSES = [
    (0.7, 0.15, 0.1, 0.05),
    (0.5, 0.2, 0.2, 0.1),
    (0.55, 0.15, 0.2, 0.1),
    (0.1, 0.2, 0.1, 0.6),
    (0.2, 0.1, 0.1, 0.6),
]
MARKED = [0, 0, 2, 3, 3]
STEP, LEFT = 2.2, 3.5
Y_TRUTH, Y_BARS, Y_STATE, Y_INPUT = 5.3, 3.75, 2.55, 1.15

figure, axes = canvas(13.2, 6.2)
for t, (given, wanted) in enumerate(zip(INPUTS, TRUTH, strict=True)):
    x = LEFT + STEP * t
    box(axes, x, Y_INPUT, given, colour=TRUE)
    arrow(axes, (x, Y_INPUT + 0.42), (x, Y_STATE - 0.44), TRUE)
    box(axes, x, Y_STATE, f"h{t + 1}", colour=INK, tint=0.04)
    arrow(axes, (x, Y_STATE + 0.42), (x, Y_BARS - 0.1))
    bars(axes, x, Y_BARS, GUESSES[t], MARKED[t], TRUE)
    box(axes, x, Y_TRUTH, wanted, colour=TRUE)
    arrow(axes, (x, Y_TRUTH - 0.42), (x, Y_BARS + max(GUESSES[t]) + 0.12), TRUE, dashed=True)
    if t < len(TRUTH) - 1:
        arrow(axes, (x + 0.54, Y_STATE), (x + STEP - 0.56, Y_STATE))
        fed_back(axes, (x + 0.5, Y_TRUTH), (x + STEP - 0.5, Y_INPUT), TRUE)
for y, label in (
    (Y_TRUTH, "true token y"),
    (Y_BARS + 0.3, "its probability p;\nthe loss is -log p"),
    (Y_STATE, "state"),
    (Y_INPUT, "input:\nthe true token before"),
):
    word(axes, 0.15, y, label, QUIET, 10, ha="left")
word(axes, LEFT + 2 * STEP, 0.3, "The teacher goes on writing the truth, however wrong the guess was.", INK, 11)
save(figure, "teacher_forcing")
