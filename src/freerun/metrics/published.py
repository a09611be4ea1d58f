"""What others printed: the MOSES benchmark's own table, and Texygen's of COCO captions. Data only.

The deviations over three runs are in `PUBLISHED_SPREAD`; a figure printed without one has none there.
"""

SOURCE = (
    "Polykovskiy et al. 2020, Molecular Sets (MOSES), doi:10.3389/fphar.2020.565644: "
    "mean of 3 runs, 30,000 samples each, against the full MOSES test sets"
)

_NAMES = (
    "valid",
    "unique@1000",
    "unique@10000",
    "FCD/Test",
    "FCD/TestSF",
    "SNN/Test",
    "SNN/TestSF",
    "Frag/Test",
    "Frag/TestSF",
    "Scaf/Test",
    "Scaf/TestSF",
    "IntDiv",
    "IntDiv2",
    "Filters",
    "Novelty",
)

# The table prints a novelty of 1 for the training set, which is 0 by definition; it is left out here.
_ROWS = {
    "MOSES train": "1 1 1 .008 .4755 .6419 .5859 1 .9986 .9907 0 .8567 .8508 1",
    "HMM": ".076 .623 .5671 24.4661 25.4312 .3876 .3795 .5754 .5681 .2065 .049 .8466 .8104 .9024 .9994",
    "n-gram": ".2376 .974 .9217 5.5069 6.2306 .5209 .4997 .9846 .9815 .5302 .0977 .8738 .8644 .9582 .9694",
    "Combinatorial": "1 .9983 .9909 4.2375 4.5113 .4514 .4388 .9912 .9904 .4445 .0865 .8732 .8666 .9557 .9878",
    "CharRNN": ".9748 1 .9994 .0732 .5204 .6015 .5649 .9998 .9983 .9242 .1101 .8562 .8503 .9943 .8419",
    "AAE": ".9368 1 .9973 .5555 1.0572 .6081 .5677 .991 .9905 .9022 .0789 .8557 .8499 .996 .7931",
    "VAE": ".9767 1 .9984 .099 .567 .6257 .5783 .9994 .9984 .9386 .0588 .8558 .8498 .997 .6949",
    "JT-VAE": "1 1 .9996 .3954 .9382 .5477 .5194 .9965 .9947 .8964 .1009 .8551 .8493 .976 .9143",
    "LatentGAN": ".8966 1 .9968 .2968 .8281 .5371 .5132 .9986 .9972 .8867 .1072 .8565 .8505 .9735 .9498",
}

PUBLISHED: dict[str, dict[str, float]] = {
    model: dict(zip(_NAMES, map(float, row.split()), strict=False)) for model, row in _ROWS.items()
}

PUBLISHED_SPREAD: dict[str, dict[str, float]] = {
    "HMM": {"valid": 0.032},
    "n-gram": {"valid": 0.0025},
    "CharRNN": {"valid": 0.0264, "FCD/Test": 0.0247, "FCD/TestSF": 0.0379, "Novelty": 0.0509},
    "AAE": {"valid": 0.0341, "FCD/Test": 0.2033, "Novelty": 0.0285},
    "VAE": {"valid": 0.0012, "FCD/Test": 0.0125, "FCD/TestSF": 0.0338, "Novelty": 0.0069},
    "JT-VAE": {"FCD/Test": 0.0234},
}

TEXT_SOURCE = "Zhu et al. 2018, Texygen, arXiv:1802.01886: COCO captions, 10,000 generated lines, 10,000 test lines"

# LeakGAN's authors print BLEU-2 .950, which Texygen does not reproduce; this is Texygen's row.
TEXT_PUBLISHED: dict[str, dict[str, float]] = {
    model: dict(
        zip(
            ("BLEU-2", "BLEU-3", "BLEU-4", "BLEU-5", "self-BLEU-2", "self-BLEU-3", "self-BLEU-4", "self-BLEU-5"),
            map(float, row.split()),
            strict=True,
        )
    )
    for model, row in {
        "MLE": ".731 .497 .305 .189 .916 .769 .583 .408",
        "SeqGAN": ".745 .498 .294 .180 .950 .840 .670 .489",
        "MaliGAN": ".673 .432 .257 .159 .918 .781 .606 .437",
        "RankGAN": ".743 .467 .264 .156 .959 .882 .762 .618",
        "LeakGAN": ".746 .528 .355 .230 .966 .913 .848 .780",
    }.items()
}
