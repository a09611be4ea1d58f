"""Every corpus with a name: what it is, where it comes from, and the hash that it must have."""

from pathlib import Path

from freerun.corpora.containers import File
from freerun.corpora.lines import AbstractReader, TextLines, Windows
from freerun.corpora.oracle import OracleDraw
from freerun.corpora.pinned import Part, PinnedFile, Source
from freerun.corpora.splits import SplitRule
from freerun.corpora.tables import Table

EMBEDDED = Path(__file__).parent / "data"
_GITHUB = "https://raw.githubusercontent.com"
_ZINC = f"{_GITHUB}/wenhao-gao/mol_opt/2da631be85af8d10a2bb43f2de76a03171166190/data"
_GRAMMAR = f"{_GITHUB}/mkusner/grammarVAE/ffffe272a8cf1772578dfc92254c55c224cddc02/data"
_SEQGAN = f"{_GITHUB}/LantaoYu/SeqGAN/e2b52fb6309851b14765290e8a972ccac09f1bec/save"
_TEXYGEN = f"{_GITHUB}/geek-ai/Texygen/3104e22ac75f3cc2070da2bf5e2da6d2bef149ad/data"
_CHAR_RNN = f"{_GITHUB}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare"
_FIGSHARE = "https://ndownloader.figshare.com/files"


def _smiles(file: File) -> AbstractReader:
    return TextLines(file, first_field=True)


def _moses(file: File) -> AbstractReader:
    return Table(file, ",", "SMILES")


_MOSES_WHEEL = PinnedFile(
    "molsets-0.3.1-py3-none-any.whl",
    "sha256:7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34",
    51_584_291,
    wheel="molsets==0.3.1",
)

SOURCES: dict[str, Source] = {
    "moses-mini": Source(
        "22,000 drug-like molecules, a seeded sample of moses; embedded, the corpus of the demo",
        "sampled from moses (Polykovskiy et al. 2020)",
        "MIT",
        {"train": 19_600, "valid": 400, "test": 2_000},
        (
            PinnedFile(
                "moses_mini_train.smi",
                "sha256:041a91c2903c63d587eb347dfa8c25dfa232d9cfdf5f1cce72e97f7f9c021b4f",
                738_374,
            ),
            PinnedFile(
                "moses_mini_test.smi",
                "sha256:82eb1750ea451317a0c22022d820e2dc6193a4021cc9557db968106642714681",
                73_889,
            ),
        ),
        (
            Part("moses_mini_train.smi", _smiles, SplitRule(held_out=("valid",), every=50)),
            Part("moses_mini_test.smi", _smiles, SplitRule(body="test")),
        ),
        "2,000 test molecules are too few for a figure to publish; FCD against them is ill-conditioned",
    ),
    "moses": Source(
        "1.9 million drug-like molecules of the MOSES benchmark, no stereo, weight 250 to 350",
        "Polykovskiy et al. 2020, the data inside the package molsets 0.3.1",
        "MIT",
        {"train": 1_574_697, "valid": 9_966, "test": 176_074, "test_scaffolds": 176_225},
        (_MOSES_WHEEL,),
        (
            Part(
                _MOSES_WHEEL.name,
                _moses,
                SplitRule(held_out=("valid",), every=159),
                "moses/dataset/data/train.csv.gz",
            ),
            Part(_MOSES_WHEEL.name, _moses, SplitRule(body="test"), "moses/dataset/data/test.csv.gz"),
            Part(
                _MOSES_WHEEL.name,
                _moses,
                SplitRule(body="test_scaffolds"),
                "moses/dataset/data/test_scaffolds.csv.gz",
            ),
        ),
        "the published train set is train + valid; FCD falls with the number of samples: always state n",
    ),
    "zinc250k": Source(
        "249,455 molecules of ZINC with stereo, the split of the Grammar VAE and the JT-VAE",
        "Kusner et al. 2017; file of github.com/wenhao-gao/mol_opt",
        "MIT (the file's repository); ZINC is free to use",
        {"train": 242_011, "valid": 2_444, "test": 5_000},
        (
            PinnedFile(
                "zinc.txt.gz",
                "sha256:cf1f05bfed0c334a38aa26f27e4a5016dd09f5e225b86dcad490bb5f203fb099",
                3_010_609,
                f"{_ZINC}/zinc.txt.gz",
            ),
        ),
        (
            Part(
                "zinc.txt.gz",
                _smiles,
                SplitRule(held_out=("valid",), every=100, head="test", n_head=5_000),
                "zinc.txt",
            ),
        ),
        "the first 5,000 lines are the published test split; the published train set is train + valid",
    ),
    "guacamol": Source(
        "about 1.6 million molecules of ChEMBL with stereo, the GuacaMol benchmark",
        "Brown et al. 2019, figshare project 56639",
        "ChEMBL: CC BY-SA 3.0",
        {"train": 0, "valid": 0, "test": 0},
        (
            PinnedFile(
                "guacamol_v1_train.smiles",
                "md5:05ad85d871958a05c02ab51a4fde8530",
                0,
                f"{_FIGSHARE}/13612760",
            ),
            PinnedFile(
                "guacamol_v1_valid.smiles",
                "md5:e53db4bff7dc4784123ae6df72e3b1f0",
                0,
                f"{_FIGSHARE}/13612766",
            ),
            PinnedFile(
                "guacamol_v1_test.smiles",
                "md5:677b757ccec4809febd83850b43e1616",
                0,
                f"{_FIGSHARE}/13612757",
            ),
        ),
        (
            Part("guacamol_v1_train.smiles", _smiles, SplitRule(body="train")),
            Part("guacamol_v1_valid.smiles", _smiles, SplitRule(body="valid")),
            Part("guacamol_v1_test.smiles", _smiles, SplitRule(body="test")),
        ),
        "no SHA-256 is published, so the files are checked by MD5",
    ),
    "expressions": Source(
        "100,000 formulas in one variable, tokens separated by spaces",
        "Kusner et al. 2017, github.com/mkusner/grammarVAE",
        "none stated",
        {"train": 90_000, "valid": 5_000, "test": 5_000},
        (
            PinnedFile(
                "equation2_15_dataset.txt",
                "sha256:ae9850311e884f888491f56dca57ef3c2f9880899e63d26b5da3b71840591ca2",
                2_794_920,
                f"{_GRAMMAR}/equation2_15_dataset.txt",
            ),
        ),
        (Part("equation2_15_dataset.txt", TextLines, SplitRule(held_out=("valid", "test"))),),
        "it holds the usual search target 1/3+(x)+sin(x*x) itself: a search that starts from all of it proves nothing",
    ),
    "seqgan-oracle": Source(
        "30,000 sequences of 20 words out of 5,000, drawn from the published oracle LSTM of SeqGAN",
        "Yu et al. 2017; weights of github.com/LantaoYu/SeqGAN",
        "none stated",
        {"train": 10_000, "valid": 10_000, "test": 10_000},
        (
            PinnedFile(
                "target_params_py3.pkl",
                "sha256:5ac794a695dd6e0eb2bb689f3dfda55e4e0053e8c0399e6242630a95f1e60e8a",
                1_334_000,
                f"{_SEQGAN}/target_params_py3.pkl",
            ),
        ),
        tuple(
            Part("target_params_py3.pkl", lambda file, draw=draw: OracleDraw(file, draw), SplitRule(body=draw))
            for draw in ("train", "valid", "test")
        ),
        "NLL under the oracle says nothing without NLL on the test draw: sharpening alone lowers it",
    ),
    "coco": Source(
        "20,000 image captions, lower case",
        "Lin et al. 2014 as cut by Texygen (Zhu et al. 2018), github.com/geek-ai/Texygen",
        "MIT (Texygen); COCO captions: CC BY 4.0",
        {"train": 9_800, "valid": 200, "test": 10_000},
        (
            PinnedFile(
                "image_coco.txt",
                "sha256:2c0fd1f0f43aac6a9dc3926a535516ccf395de535e15ac1fd17cd569420736f5",
                546_442,
                f"{_TEXYGEN}/image_coco.txt",
            ),
            PinnedFile(
                "test_coco.txt",
                "sha256:72e25c9fb4d2cd43182ac602c92f6ffc377762147f9709572943b0b09174bcae",
                536_184,
                f"{_TEXYGEN}/testdata/test_coco.txt",
            ),
        ),
        (
            Part("image_coco.txt", TextLines, SplitRule(held_out=("valid",), every=50)),
            Part("test_coco.txt", TextLines, SplitRule(body="test")),
        ),
        "the published train set is train + valid; some captions repeat, and words of the test are unknown in train",
    ),
    "emnlp-test": Source(
        "10,000 English news sentences, tokenized",
        "WMT 2017 news as cut by Texygen (Zhu et al. 2018), github.com/geek-ai/Texygen",
        "MIT (Texygen); the news text itself: none stated",
        {"train": 9_000, "valid": 500, "test": 500},
        (
            PinnedFile(
                "test_emnlp.txt",
                "sha256:03c646d08f766f4140443db4419b1f0ee292bc0db514208873e9f2e166b95bd2",
                1_742_757,
                f"{_TEXYGEN}/testdata/test_emnlp.txt",
            ),
        ),
        (
            Part(
                "test_emnlp.txt",
                lambda file: TextLines(file, strip=True),
                SplitRule(held_out=("valid", "test")),
            ),
        ),
        "this is the published test file only, split by us: as a reference use all of it (train+valid+test)",
    ),
    "tinyshakespeare": Source(
        "1.1 million characters of Shakespeare's plays, in windows of 256 characters",
        "Karpathy 2015, github.com/karpathy/char-rnn",
        "public domain (the file's repository: MIT)",
        {"train": 3_922, "valid": 436},
        (
            PinnedFile(
                "tinyshakespeare.txt",
                "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                1_115_394,
                f"{_CHAR_RNN}/input.txt",
            ),
        ),
        (
            Part(
                "tinyshakespeare.txt",
                lambda file: Windows(file, 256, (1_003_854,)),
                SplitRule(body="valid", head="train", n_head=3_922),
            ),
        ),
        "strings hold line ends; as in nanoGPT the first 90 % of the characters are train, the rest valid; no test",
    ),
}
