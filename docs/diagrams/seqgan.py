"""SeqGAN: sample, estimate, step. Each prefix is completed, and paid what the critic says of its completions."""

from drawing import INK, OWN, QUIET, THIRD, TRUE, arrow, bars, box, canvas, save, word

SAMPLE = ["C", "C", "O", "<eos>"]
GUESSES = [(0.6, 0.2, 0.1, 0.1), (0.5, 0.3, 0.1, 0.1), (0.3, 0.2, 0.4, 0.1), (0.2, 0.1, 0.1, 0.6)]
MARKED = [0, 0, 2, 3]
COMPLETIONS = [["N", "<eos>"], ["C", "<eos>"], ["O", "<eos>"]]  # of the prefix of two tokens
REWARDS = [".3", ".6", ".9"]
STEP, LEFT, FAR = 1.6, 4.3, 13.2
Y_SAMPLE, Y_ROLLOUTS, Y_VALUE, Y_BARS = 8.6, (7.1, 6.2, 5.3), 3.55, 1.2

figure, axes = canvas(16.4, 9.6)
for t, token in enumerate(SAMPLE):
    x = LEFT + STEP * t
    box(axes, x, Y_SAMPLE, token, colour=OWN)
    if t:
        arrow(axes, (x - STEP + 0.54, Y_SAMPLE), (x - 0.56, Y_SAMPLE), OWN)
    marked = t == 1
    label = "Q2 = .6" if marked else "Q4 = D(Y)" if t == 3 else f"Q{t + 1}"
    box(axes, x, Y_VALUE, label, colour=THIRD if marked or t == 3 else QUIET, width=1.35, size=10)
    arrow(axes, (x, Y_VALUE - 0.44), (x, Y_BARS + max(GUESSES[t]) + 0.12), THIRD)
    bars(axes, x, Y_BARS, GUESSES[t], MARKED[t], OWN)
arrow(axes, (LEFT + 3 * STEP + 0.54, Y_SAMPLE), (FAR - 0.98, Y_SAMPLE), OWN)
box(axes, FAR, Y_SAMPLE, "critic D", colour=TRUE, width=1.9)
arrow(axes, (LEFT + STEP, Y_SAMPLE - 0.42), (LEFT + STEP, Y_ROLLOUTS[-1]), QUIET, dashed=True)
for y, tokens, reward in zip(Y_ROLLOUTS, COMPLETIONS, REWARDS, strict=True):
    axes.plot([LEFT + STEP, LEFT + 2 * STEP - 0.56], [y, y], color=QUIET, linewidth=1.2, linestyle=(0, (3, 2)))
    for place, token in enumerate(tokens):
        box(axes, LEFT + STEP * (2 + place), y, token, colour=OWN, height=0.62, tint=0.03)
    arrow(axes, (LEFT + 3 * STEP + 0.54, y), (FAR - 0.98, y), QUIET)
    box(axes, FAR, y, f"D = {reward}", colour=TRUE, width=1.9, height=0.62, size=10)
axes.plot([FAR, FAR], [Y_ROLLOUTS[-1] - 0.34, 4.45], color=TRUE, linewidth=1.2, linestyle=(0, (3, 2)))
word(axes, FAR, 4.15, "their mean is Q2", TRUE, 10)
axes.plot([FAR, LEFT + STEP], [4.45, 4.45], color=TRUE, linewidth=1.2, linestyle=(0, (3, 2)))
arrow(axes, (LEFT + STEP, 4.45), (LEFT + STEP, Y_VALUE + 0.42), TRUE)
for y, number, label in (
    (Y_SAMPLE, "1  sample", "the generator runs free"),
    (Y_ROLLOUTS[1], "2  estimate", "the prefix is completed\nN times, for each t"),
    (Y_VALUE, "", "action value Q of\neach token"),
    (Y_BARS + 0.3, "3  step", "log p of each token rises\nby Q less the others' mean"),
):
    word(axes, 0.2, y + 0.38 * (label.count("\n") + 1) / 2 + 0.12, number, INK, 12, ha="left")
    word(axes, 0.2, y - 0.2, label, QUIET, 10, ha="left")
word(axes, 8.2, 0.35, "Nothing is read by the critic before it has ended; no gradient goes through a token.", INK, 11)
save(figure, "seqgan")
