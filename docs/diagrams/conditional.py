"""A conditional VRAE: encoder and generator are shown the condition, of which parts are hidden in training."""

from drawing import INK, OWN, QUIET, THIRD, TRUE, arrow, box, canvas, save, word

Y_TRAIN, Y_USE = 5.0, 1.7
TOKENS = ["C", "C", "O"]


def generator(axes, y: float, colour: str) -> None:
    """Three steps in a row, each shown the code and the condition."""
    for t, token in enumerate(TOKENS):
        x = 8.7 + 1.75 * t
        box(axes, x, y, f"h{t + 1}", colour=INK, tint=0.04, width=0.9)
        arrow(axes, (x, y + 0.42), (x, y + 0.82), colour)
        word(axes, x, y + 1.05, token, colour)
        if t:
            arrow(axes, (x - 1.28, y), (x - 0.48, y))
        arrow(axes, (x, y - 0.95), (x, y - 0.43), OWN)
    axes.plot([7.55, 8.7 + 3.5], [y - 0.95, y - 0.95], color=OWN, linewidth=1.4)
    axes.plot([7.55, 7.55], [y - 0.95, y - 0.42], color=OWN, linewidth=1.4)


figure, axes = canvas(13.2, 6.9)
word(axes, 0.15, Y_TRAIN + 1.45, "Training", INK, 12, ha="left")
box(axes, 1.3, Y_TRAIN, "string y\nof the corpus", colour=TRUE, width=1.9)
box(axes, 1.3, Y_TRAIN - 1.2, "its values c", colour=OWN, width=1.9)
box(axes, 3.9, Y_TRAIN - 1.2, "some hidden", colour=OWN, width=1.7, tint=0.02)
box(axes, 3.9, Y_TRAIN, "encoder", colour=INK, width=1.7)
box(axes, 6.1, Y_TRAIN, "z", colour=THIRD, width=0.8)
box(axes, 7.55, Y_TRAIN, "z, c", colour=OWN, width=0.95)
arrow(axes, (2.3, Y_TRAIN), (3.0, Y_TRAIN), TRUE)
arrow(axes, (2.3, Y_TRAIN - 1.2), (3.0, Y_TRAIN - 1.2), OWN)
arrow(axes, (3.9, Y_TRAIN - 0.78), (3.9, Y_TRAIN - 0.43), OWN)
arrow(axes, (4.8, Y_TRAIN), (5.65, Y_TRAIN), THIRD)
arrow(axes, (6.55, Y_TRAIN), (7.03, Y_TRAIN), THIRD)
axes.plot([4.8, 6.8, 6.8], [Y_TRAIN - 1.2, Y_TRAIN - 1.2, Y_TRAIN - 0.3], color=OWN, linewidth=1.4)
arrow(axes, (6.8, Y_TRAIN - 0.3), (7.03, Y_TRAIN - 0.3), OWN)
word(axes, 5.24, Y_TRAIN + 0.62, "q(z | y, c)", THIRD, 10)
generator(axes, Y_TRAIN, TRUE)
word(axes, 0.15, Y_USE + 1.15, "Use", INK, 12, ha="left")
box(axes, 3.9, Y_USE, "N(0, I)", colour=THIRD, width=1.7)
box(axes, 3.9, Y_USE - 1.2, "asked for:\nlogP = 2.5", colour=OWN, width=1.7)
box(axes, 6.1, Y_USE, "z", colour=THIRD, width=0.8)
box(axes, 7.55, Y_USE, "z, c", colour=OWN, width=0.95)
arrow(axes, (4.8, Y_USE), (5.65, Y_USE), THIRD)
arrow(axes, (6.55, Y_USE), (7.03, Y_USE), THIRD)
axes.plot([4.8, 6.8, 6.8], [Y_USE - 1.2, Y_USE - 1.2, Y_USE - 0.3], color=OWN, linewidth=1.4)
arrow(axes, (6.8, Y_USE - 0.3), (7.03, Y_USE - 0.3), OWN)
generator(axes, Y_USE, OWN)
word(axes, 1.3, Y_USE - 0.6, "what is not asked for\nis hidden, as it was\nin training", QUIET, 10)
save(figure, "conditional")
