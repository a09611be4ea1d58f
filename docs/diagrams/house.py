"""The rooms of the house, and what flows from one to the next."""

from drawing import INK, OWN, QUIET, THIRD, TRUE, arrow, box, canvas, save, word

TRAINING, SAMPLING, JUDGING = 5.6, 3.3, 1.0
WIDE = {"width": 2.1, "height": 1.0, "size": 10.5}

figure, axes = canvas(14.6, 7.1)
word(axes, 0.2, 6.75, "training", TRUE, 11, ha="left")
word(axes, 0.2, 2.15, "judging", THIRD, 11, ha="left")
word(axes, 13.9, 4.45, "free running", OWN, 11, ha="right")

for x, name in (
    (1.4, "corpora"),
    (4.5, "representations\nencode"),
    (7.6, "corpora\nbatches"),
    (10.7, "methods\none file a paper"),
):
    box(axes, x, TRAINING, name, colour=TRUE, **WIDE)
for x, label in ((2.95, "strings"), (6.05, "ids"), (9.15, "Batch")):
    arrow(axes, (x - 0.46, TRAINING), (x + 0.46, TRAINING))
    word(axes, x, TRAINING + 0.25, label, QUIET, 9.5)
box(axes, 13.3, TRAINING, "run.py\nthe loop", colour=INK, width=1.7, height=1.0, size=10.5, tint=0.04)
arrow(axes, (12.42, TRAINING + 0.15), (11.78, TRAINING + 0.15), INK)
arrow(axes, (11.78, TRAINING - 0.15), (12.42, TRAINING - 0.15), INK)
word(axes, 12.1, TRAINING + 0.42, "step", QUIET, 9.5)

box(axes, 7.6, SAMPLING, "models\ngenerator", colour=INK, tint=0.04, **WIDE)
box(axes, 4.5, SAMPLING, "constraints\nmasks", colour=INK, tint=0.04, **WIDE)
box(axes, 10.7, SAMPLING, "sampling\nthe one loop", colour=OWN, **WIDE)
box(axes, 13.3, SAMPLING, "noise.py", colour=INK, width=1.7, height=1.0, size=10.5, tint=0.04)
arrow(axes, (10.0, TRAINING - 0.52), (8.2, SAMPLING + 0.52), TRUE)
word(axes, 9.55, 4.45, "gradients", QUIET, 9.5, ha="left")
arrow(axes, (8.67, SAMPLING), (9.63, SAMPLING))
arrow(axes, (12.44, SAMPLING), (11.77, SAMPLING))
arrow(axes, (4.5, TRAINING - 0.52), (4.5, SAMPLING + 0.52))
word(axes, 4.35, 4.45, "vocabulary", QUIET, 9.5, ha="right")
arrow(axes, (5.2, SAMPLING - 0.52), (10.0, SAMPLING - 0.52), bend=0.18)
arrow(axes, (5.2, SAMPLING + 0.52), (9.7, TRAINING - 0.52), bend=-0.1)
word(axes, 7.6, 4.12, "the same mask", QUIET, 9.5)
word(axes, 7.6, 2.08, "the same mask", QUIET, 9.5)

for x, name in ((10.7, "representations\ndecode"), (7.6, "scores, metrics"), (4.5, "report"), (1.4, "a page")):
    box(axes, x, JUDGING, name, colour=THIRD, **WIDE)
arrow(axes, (10.7, SAMPLING - 0.52), (10.7, JUDGING + 0.52), OWN)
word(axes, 10.85, 2.15, "Rollout", QUIET, 9.5, ha="left")
for x, label in ((9.15, "strings"), (6.05, "numbers"), (2.95, "HTML")):
    arrow(axes, (x + 0.46, JUDGING), (x - 0.46, JUDGING))
    word(axes, x, JUDGING + 0.25, label, QUIET, 9.5)
save(figure, "house")
