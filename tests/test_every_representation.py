"""What must hold for every representation, with every value of every setting, through the dict."""

import dataclasses
import itertools
import json
import re
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from freerun.chemistry import canonical
from freerun.constraints.base import BOS, EOS, PAD, SPECIALS
from freerun.errors import FreerunError, InvalidSequence, UnknownToken
from freerun.grammars.reading import SHIPPED
from freerun.representations import REPRESENTATIONS, AbstractRepresentation
from freerun.representations.grammar import GrammarRules

MOLECULES = (
    "C",
    "CCO",
    "c1ccccc1",
    "COc1ccc(CNC(=O)c2ccc3[nH]ccc3c2)cc1",
    "CC(C)(C)C(=O)C(Oc1ccc(Cl)cc1)n1ccnc1",  # two-letter elements, aromatic nitrogen
    "FC(F)(F)c1cc(Br)cnc1I",
    "C[N+](C)(C)CC(=O)[O-]",  # charges
    "O=[N+]([O-])c1ccccc1[O-].[Na+]",  # parts, a metal
    "[13CH3][C@@H](N)C(=O)O",  # isotope, chirality
    "C[C@H]1CC[C@@](O)(C#N)[C@H](F)C1",  # ring stereo
    "F/C=C/F",
    "C/C=C1\\CCCC[C@@H]1F",  # a double bond at a ring
    "C/C=C\\C=C/C(=O)N/N=C/c1ccco1",
    "CS(=O)(=O)c1ccc2nc(-c3ccncc3)sc2c1",
    "C[Si](C)(C)c1cc[se]c1",
    "[2H]C([2H])([2H])O",
    "O=C1C=CC(=O)c2ccccc21",
    "c1ccc2c(c1)ccc1c2ccc2c3ccccc3ccc12",
    "CP(=O)(O)OC[C@H]1O[C@@H](n2cnc3c(N)ncnc32)[C@H](O)[C@@H]1O",
    "C%10CC2CC%10C2",  # a ring number of two digits
    "C12C3C4C1C5C2C3C45",  # five rings open at once
    "[NH4+].[Cl-]",
    "[O-][n+]1ccccc1",
    "N#[N+]c1ccccc1",
)
TEXTS = (
    "",
    "x",
    "A man rides a horse .",
    "  two  spaces,\ttabs\n",
    "1 / 3 + x + sin ( x * x )",
    "naïve Ägypten, 東京 𝛼 İ ΑΣ",
    "'quotes' \\ back \"slash\"",
)
STRINGS = {  # of the grammars that come with the package
    "formulas": ("x", "1 / 3 + x + sin ( x * x )", " exp(x*(2+3))/x ", "((((1))))", "1+2*3/x"),
    "json": ("[]", '{"a":[1,-2.5,3e8,true,null],"two  words":{}}', "0", '""'),
    "smiles": MOLECULES,
    "smiles76": tuple(text for text in MOLECULES if not re.search(r"[.%]|Si|se|\[2H", text)),
}
MALFORMED = (  # text, position
    ("C(C", 1),
    ("CC)C", 2),
    ("C1CC", 1),
    ("C[NH", 1),
    ("CXC", 1),
    ("CC=", 3),
    ("C [O", 1),
    ("", 0),
)


LEFT_OUT = ("vocab", "numbers")  # no settings, or of other strings: representations/test_text.py


def variants() -> dict[str, AbstractRepresentation]:
    """Every representation with every combination of its settings, each a bool or a Literal; and every grammar."""
    found: dict[str, AbstractRepresentation] = {f"grammar {name}": GrammarRules(name) for name in SHIPPED}
    for representation in REPRESENTATIONS.values():
        if representation is GrammarRules:
            continue
        hints = get_type_hints(representation)
        names = [field.name for field in dataclasses.fields(representation) if field.name not in LEFT_OUT]
        choices = [get_args(hints[n]) if get_origin(hints[n]) is Literal else (False, True) for n in names]
        for values in itertools.product(*choices):
            settings = dict(zip(names, values, strict=True))
            label = " ".join([representation.name, *(f"{key}={value}" for key, value in settings.items())])
            found[label] = dataclasses.replace(representation(), **settings)
    return found


def examples(representation: AbstractRepresentation) -> tuple[str, ...]:
    if isinstance(representation, GrammarRules):
        return STRINGS[representation.grammar]
    return MOLECULES if representation.is_chemical else TEXTS


def fitted(representation: AbstractRepresentation, *texts: str) -> AbstractRepresentation:
    return representation.with_vocab(token for text in texts for token in representation.tokenize(text))


VARIANTS = variants()
every = pytest.mark.parametrize("representation", VARIANTS.values(), ids=VARIANTS.keys())
CHEMICAL = {name: representation for name, representation in VARIANTS.items() if representation.is_chemical}
every_chemical = pytest.mark.parametrize("representation", CHEMICAL.values(), ids=CHEMICAL.keys())
FITTED = [v for v in VARIANTS.values() if not isinstance(v, GrammarRules)]  # their tokens come from a corpus
every_fitted = pytest.mark.parametrize("representation", FITTED, ids=repr)


@every
def test_decoding_what_was_encoded_gives_the_normal_form(representation: AbstractRepresentation):
    ready = fitted(representation, *examples(representation))
    for text in examples(representation):
        ids = ready.encode(text)
        assert ready.decode(ids) == ready.normalise(text)
        assert all(i >= len(SPECIALS) for i in ids)
        assert ready.is_valid(ready.decode(ids))


@every
def test_the_normal_form_is_its_own_normal_form_and_has_the_same_tokens(representation: AbstractRepresentation):
    for text in examples(representation):
        normal = representation.normalise(text)
        assert representation.normalise(normal) == normal
        assert representation.tokenize(normal) == representation.tokenize(text)
        assert representation.detokenize(representation.tokenize(text)) == normal


@every_chemical
def test_molecules_keep_their_canonical_smiles(representation: AbstractRepresentation):
    for text in examples(representation):
        assert canonical(representation.normalise(text)) == canonical(text)


@pytest.mark.parametrize("representation", [v for v in FITTED if v.is_chemical], ids=repr)
def test_malformed_smiles_are_refused_with_their_position(representation: AbstractRepresentation):
    for text, position in MALFORMED:
        with pytest.raises(InvalidSequence, match=f"at position {position} of") as caught:
            representation.tokenize(text)
        assert (caught.value.text, caught.value.position) == (text, position)
        with pytest.raises(InvalidSequence):
            representation.normalise(text)


@every_chemical
def test_what_is_no_molecule_is_not_valid(representation: AbstractRepresentation):
    assert not any(map(representation.is_valid, ("", "C(", "C1CC", "c1cccc1", "C(C)(C)(C)(C)C", "hello")))


@every_chemical
def test_a_line_that_would_overflow_rdkit_is_refused_or_left_alone(representation: AbstractRepresentation):
    chain = "C" * 30_000
    assert not representation.is_valid(chain)
    if representation in (REPRESENTATIONS["smiles"](), GrammarRules("smiles"), GrammarRules("smiles76")):
        assert representation.normalise(chain) == chain, "as written RDKit is not asked"
    else:
        with pytest.raises(InvalidSequence, match="5,000 characters at most"):
            representation.normalise("c1ccccc1" + chain)
    assert representation.augment(chain, np.random.default_rng(0)) == chain


@every_chemical
@given(data=st.data())
def test_any_string_is_refused_at_a_position_or_keeps_its_molecule(representation, data: st.DataObject):
    symbols = ["C", "c", "N", "n", "O", "(", ")", "=", "#", "1", "2", "%10", "[nH]", "[C@@H]", "[O-]", "/", "\\", "."]
    text = "".join(data.draw(st.lists(st.sampled_from([*symbols, "Cl", "S", "+", "[", " ", "é"]), max_size=12)))
    try:
        normal = representation.normalise(text)
    except InvalidSequence as error:
        assert 0 <= error.position <= len(text)
        return
    assert representation.normalise(normal) == normal
    assert canonical(normal) == canonical(text.strip())


@pytest.mark.parametrize("representation", [v for v in FITTED if not v.is_chemical], ids=repr)
@given(text=st.text())
def test_any_text_comes_back(representation: AbstractRepresentation, text: str):
    assume(set(text.lower().split()).isdisjoint(SPECIALS))
    ready = fitted(representation, text)
    normal = ready.normalise(text)
    assert ready.decode(ready.encode(text)) == normal == ready.normalise(normal)


@every_fitted
def test_an_unknown_token_is_named_with_its_position(representation: AbstractRepresentation):
    first, last = ("CCO", "CCN") if representation.is_chemical else ("a b", "a q")
    ready = fitted(representation, first)
    with pytest.raises(UnknownToken) as caught:
        ready.encode(last)
    shown, position, token = caught.value.text, caught.value.position, caught.value.token
    assert token == representation.tokenize(last)[-1]
    assert shown[position:] == token
    assert f"token {token!r} is not in the vocabulary ({len(ready.vocab)} tokens)" in str(caught.value)


@every
def test_an_unfitted_representation_says_so(representation: AbstractRepresentation):
    with pytest.raises(FreerunError, match="no vocabulary yet; fit it"):
        representation.encode("C")


@every
def test_augmenting_gives_the_same_object_in_the_same_form(representation: AbstractRepresentation):
    rng, again = np.random.default_rng(5), np.random.default_rng(5)
    for text in examples(representation):
        other = representation.augment(text, rng)
        assert other == representation.augment(text, again), "a seed gives one writing"
        if not representation.is_chemical:
            assert other == text
            continue
        assert canonical(other) == canonical(text)
        normal = representation.normalise(other)
        assert canonical(normal) == canonical(text)
        assert representation.normalise(normal) == normal


@every_chemical
def test_augmenting_a_molecule_gives_many_token_sequences(representation: AbstractRepresentation):
    text = "COc1ccc(CNC(=O)c2ccc3[nH]ccc3c2)cc1"
    rng = np.random.default_rng(1)
    writings = {tuple(representation.tokenize(representation.augment(text, rng))) for _ in range(20)}
    assert len(writings) > 15


@every
def test_a_batch_decodes_as_its_rows_do(representation: AbstractRepresentation):
    ready = fitted(representation, *examples(representation))
    rows = [[*ready.encode(text), EOS] for text in examples(representation)]
    width = max(map(len, rows))
    tokens = torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
    expected = [ready.normalise(text) for text in examples(representation)]
    assert ready.decode_batch(tokens) == expected
    assert ready.decode_batch(tokens.numpy().astype(np.int16)) == expected
    with_start = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens], 1)
    assert ready.decode_batch(with_start) == expected
    assert ready.decode_batch(tokens[:0]) == []
    cut = tokens[:, :3]  # rows without an end
    assert ready.decode_batch(cut) == [ready.decode(row) for row in cut.tolist()]


@every
def test_settings_survive_json_and_rebuild_the_representation(representation: AbstractRepresentation):
    ready = fitted(representation, *examples(representation))
    settings = json.loads(json.dumps(ready.settings()))
    rebuilt = REPRESENTATIONS[ready.name](**settings).with_vocab(json.loads(json.dumps(ready.vocab)))
    assert rebuilt == ready
    assert "vocab" not in settings
    assert isinstance(ready.code_version, str)


@every
def test_new_tokens_are_appended_and_old_ones_keep_their_ids(representation: AbstractRepresentation):
    small, large = examples(representation)[1:3], examples(representation)
    ready = fitted(representation, *small)
    longer, new = ready.extended(token for text in large for token in representation.tokenize(text))
    assert longer.vocab == (*ready.vocab, *new)
    assert not set(new) & set(ready.vocab)
    assert [longer.encode(text) for text in small] == [ready.encode(text) for text in small]
    assert [longer.decode(longer.encode(text)) for text in large] == [longer.normalise(text) for text in large]
    assert longer.extended(longer.vocab) == (longer, ())


@every_fitted
def test_the_vocabulary_begins_with_the_four_special_tokens(representation: AbstractRepresentation):
    assert representation.with_vocab(["b", "a", "b"]).vocab == (*SPECIALS, "b", "a")
    assert representation.extended(["a"])[1] == ("a",)


@every
def test_its_constraint_lets_every_token_follow_but_the_special_ones(representation: AbstractRepresentation):
    ready = fitted(representation, *examples(representation))
    tokens = torch.tensor([[*ready.encode(text), EOS] for text in examples(representation)[1:2]])
    masks = ready.constraint().replay(tokens, tokens.shape[1])
    assert masks.shape[-1] == len(ready.vocab)
    assert masks.gather(2, tokens[..., None]).all()
