"""Kekule form: sound, complete, and never at a dead end, against RDKit."""

import itertools
import re
from collections.abc import Sequence
from importlib.resources import files

import pytest
import torch

from freerun.chemistry import parse, rdkit
from freerun.constraints.base import EOS, PAD, SPECIALS
from freerun.constraints.kekule import Kekule
from freerun.constraints.kekule_tokens import bonds_of, tokens_of_kekule
from freerun.models.generator import Generator
from freerun.representations.smiles import Smiles
from freerun.rows import concat
from freerun.sampling.free_run import FreeRun

RICH = (
    "C N O S P F Cl Br I B = # - / \\ ( ) 0 1 2 3 4 5 6 %10 %11 [C@@H] [C@H] [C@] [C@@] [NH+] [O-] [NH2+] [N+] [NH3+] "
    "[N-] [O+] [S@@] [S-] [S+] [OH+] [P@@] [Si] [2H] [H] [Na] * [nH] c ."
).split()
BONDS = {"-": 1, "/": 1, "\\": 1, "=": 2, "#": 3}


def kekule(words) -> Kekule:
    return Kekule((*SPECIALS, *words))


def language(constraint: Kekule, budget: int) -> set[tuple[str, ...]]:
    """Every string that the masks allow, by walking them all at once."""
    state, written = constraint.start(1, budget), torch.zeros(1, 0, dtype=torch.int64)
    found: list[tuple[str, ...]] = []
    while len(state):
        assert state.allowed.any(1).all(), "dead end"
        row, token = constraint.allowed(state).nonzero().unbind(1)
        found += [tuple(constraint.vocab[i] for i in ids) for ids in written[row[token == EOS]].tolist()]
        row, token = row[token > EOS], token[token > EOS]
        written = torch.cat([written[row], token[:, None]], 1)
        state = constraint.advance(state[row], token)
    assert len(found) == len(set(found))
    return set(found)


def rdkit_accepts(text: str) -> bool:
    """As it stands: RDKit's rewriting of CN(=O)=O and the like (its clean-up) is left out."""
    if parse(text) is None:
        return False
    chem = rdkit()
    params = chem.SmilesParserParams()
    params.sanitize, params.removeHs = False, False
    flags = chem.SanitizeFlags
    steps = flags.SANITIZE_ALL ^ flags.SANITIZE_CLEANUP ^ flags.SANITIZE_CLEANUP_ORGANOMETALLICS
    return chem.SanitizeMol(chem.MolFromSmiles(text, params), sanitizeOps=steps, catchErrors=True) == 0


def in_form(tokens: tuple[str, ...]) -> bool:
    """Not what the page names as left out: a ring number behind a branch, opened with a triple bond, or with two
    different bonds."""
    opened: dict[str, int] = {}
    for i, token in enumerate(tokens):
        if token[0] not in "%0123456789":
            continue
        bond = BONDS.get(tokens[i - 1], 0)
        if tokens[i - 1 - (bond > 0)] == ")":
            return False
        if token not in opened:
            opened[token] = bond
            if bond == 3:
                return False
        elif (other := opened.pop(token)) and bond and other != bond:
            return False
    return True


@pytest.mark.parametrize("budget", range(2, 10))
def test_a_double_bond_that_a_pair_cannot_have_leads_to_no_dead_end(budget):
    """[O+]=1 would wait for an atom that may close it, and I may not."""
    for text in map("".join, language(kekule("[O+] C I = 1 2".split()), budget)):
        assert parse(text) is not None, text


FOLLOWS = {  # a ring number behind a branch too: RDKit reads it
    "start": ["atom"],
    "atom": ["atom", "bond", "ring", "(", ")"],
    "bond": ["atom", "ring"],
    "(": ["atom", "bond of a branch"],
    "bond of a branch": ["atom"],
}
FOLLOWS |= {"ring": FOLLOWS["atom"], ")": FOLLOWS["atom"]}


def strings(words: Sequence[str], longest: int) -> list[tuple[str, ...]]:
    """Every string of at most so many tokens whose syntax is that of SMILES, by growing prefixes; no chemistry."""
    digits = {word for word in words if word[0] in "%0123456789"}
    kinds = {
        word: "bond" if word in BONDS else "ring" if word in digits else word if word in "()" else "atom"
        for word in words
    }
    found: list[tuple[str, ...]] = []
    fronts: list[tuple[tuple[str, ...], str, int, frozenset[str]]] = [((), "start", 0, frozenset())]
    while fronts:
        tokens, last, depth, rings = fronts.pop()
        if last in ("atom", "ring", ")") and depth == 0 and not rings:
            found.append(tokens)
        for word, kind in kinds.items():
            kind = "bond of a branch" if kind == "bond" and last == "(" else kind
            deeper = depth + (kind == "(") - (kind == ")")
            still = rings ^ {word} if kind == "ring" else rings
            if kind in FOLLOWS[last] and deeper >= 0 and len(tokens) + 1 + deeper + len(still) <= longest:
                fronts.append(((*tokens, word), kind, deeper, still))
    return found


def compare(words: Sequence[str], longest: int, candidates) -> None:
    """The language under every budget up to `longest` + 1 is what RDKit accepts among the candidates."""
    accepted = {tokens for tokens in candidates if rdkit_accepts("".join(tokens)) and in_form(tokens)}
    assert accepted
    for budget in range(2, longest + 2):
        expected = {tokens for tokens in accepted if len(tokens) < budget}
        assert language(kekule(words), budget) == expected, budget


def test_the_language_is_what_rdkit_accepts_of_all_strings():
    words = "C O = ( ) 1 2".split()
    every = itertools.chain.from_iterable(itertools.product(words, repeat=n) for n in range(1, 6))
    compare(words, 5, [tokens for tokens in every if not any(a + b == "()" for a, b in itertools.pairwise(tokens))])


@pytest.mark.parametrize(
    ("words", "longest"),
    [("C 1 2 =", 7), ("C = # - ( ) 1", 6), ("N 1 2 ( ) %10", 6), ("O F 1 2 ( )", 7), ("[CH] [C-] [NH3+] [Na] 1 =", 5)],
)
def test_the_language_is_what_rdkit_accepts_of_good_syntax(words, longest):
    compare(words.split(), longest, strings(words.split(), longest))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "longest"),
    [
        ("C N O = ( ) 1 2", 7),
        ("C O = # - ( ) 1 2 3", 6),
        ("C 1 2 = ( )", 10),
        ("C 1 2 3 ( )", 10),
        ("N = # 1 2 ( ) %10", 8),
        ("N O = 1 2 ( )", 8),
        ("S F = # 1 2 ( )", 7),
        ("C / \\ = ( ) 1", 8),
        ("[C@@H] [C@] N / = ( ) 1 2", 7),
    ],
)
def test_the_language_is_what_rdkit_accepts_of_long_strings(words, longest):
    compare(words.split(), longest, strings(words.split(), longest))


# Adversaries: logits by (constraint, state, generator).


def uniform(constraint, state, generator):
    return torch.zeros(len(state), constraint.n_vocab)


def normal(constraint, state, generator):
    return 3 * torch.randn(len(state), constraint.n_vocab, generator=generator)


def reluctant(constraint, state, generator):
    """`<eos>`, `)` and ring closings at -20."""
    tokens = tokens_of_kekule(constraint.vocab)
    logits = torch.zeros(len(state), constraint.n_vocab)
    for i, word in enumerate(constraint.vocab):
        if i == EOS or word == ")":
            logits[:, i] = -20
        elif word[0] in "%0123456789":
            logits[:, i] = torch.where(state.rings.order[:, tokens.label[i]] > 0, -20.0, 1.0)
    return logits


def greedy_for_debt(constraint, state, generator):
    """What leaves most to be done: a ring number that opens, then `(`, then a bond, before all else."""
    logits = reluctant(constraint, state, generator)
    for i, word in enumerate(constraint.vocab):
        if word[0] in "%0123456789":
            logits[:, i] += 15
        elif word in ("(", "=", "#"):
            logits[:, i] += 8 if word == "(" else 2
    return logits


ADVERSARIES = (uniform, normal, reluctant, greedy_for_debt)


def drawn(constraint: Kekule, n: int, budget, adversary, seed: int = 0) -> list[str]:
    generator = torch.Generator().manual_seed(seed)
    state, columns = constraint.start(n, budget), []
    for _ in range(int(torch.as_tensor(budget).max())):
        assert state.allowed.any(1).all(), "dead end"
        noise = -torch.empty(n, constraint.n_vocab).exponential_(generator=generator).log()
        logits = (adversary(constraint, state, generator) + noise).masked_fill(~state.allowed, -torch.inf)
        columns.append(logits.argmax(1))
        state = constraint.advance(state, columns[-1])
    ids = torch.stack(columns, 1)
    assert ((ids == EOS).sum(1) == 1).all()
    return ["".join(constraint.vocab[i] for i in row if i > EOS) for row in ids.tolist()]


@pytest.mark.parametrize("adversary", ADVERSARIES)
@pytest.mark.parametrize("words", [RICH, "C N O = ( ) 1 2".split()], ids=["rich", "small"])
def test_every_sample_is_a_molecule(adversary, words):
    for budget in (2, 3, 5, 8, 13, 30):
        texts = drawn(kekule(words), 25, budget, adversary, seed=budget)
        assert [text for text in texts if parse(text) is None] == []


@pytest.mark.slow
@pytest.mark.parametrize("adversary", ADVERSARIES)
@pytest.mark.parametrize(
    "words", [RICH, "C N O = ( ) 1 2".split(), "N O = 1 2 3 ( )".split()], ids=["rich", "small", "N"]
)
def test_every_sample_is_a_molecule_whatever_the_budget(adversary, words):
    """`python -m benchmarks.adversaries` goes through all budgets with 1,000 samples each."""
    for budget in (*range(2, 20), *range(20, 101, 10)):
        texts = drawn(kekule(words), 300, budget, adversary, seed=budget)
        assert [text for text in texts if parse(text) is None] == []


def test_no_budget_is_a_dead_end_for_a_ring_at_hand():
    # C1CC= with two tokens left is C1CC=1 alone: no atom fits in any more.
    constraint = kekule("C = 1".split())
    state = constraint.start(1, 7)
    for word in "C1CC=":
        state = constraint.advance(state, torch.tensor([constraint.vocab.index(word)]))
    assert [constraint.vocab[i] for i in state.allowed[0].nonzero()[:, 0]] == ["1"]


def accepted(constraint: Kekule, lines: list[list[str]], spare: int = 0) -> list[bool]:
    """Whether each line is accepted under a budget that it fills to the last token but `spare`."""
    ids = {word: i for i, word in enumerate(constraint.vocab)}
    width = max(map(len, lines)) + 1
    tokens = torch.tensor([[*(ids[word] for word in line), EOS, *[PAD] * (width - len(line) - 1)] for line in lines])
    budget = torch.tensor([len(line) + 1 + spare for line in lines])
    masks = constraint.replay(tokens, budget)
    return masks.gather(2, tokens[:, :, None])[:, :, 0].all(1).tolist()


@pytest.mark.parametrize("n", [100, pytest.param(5000, marks=pytest.mark.slow)])
def test_molecules_of_a_corpus_are_accepted_to_the_last_token(n):
    text = (files("freerun.corpora") / "data" / "moses_mini_train.smi").read_text()
    lines = [Smiles(kekule=True).tokenize(line.split()[0]) for line in text.splitlines()[:n]]
    constraint = kekule(sorted({word for line in lines for word in line}))
    assert constraint.refused_tokens == ()
    assert all(accepted(constraint, lines))


@pytest.mark.parametrize(
    "text",
    [
        "C2CC2",
        "C1CC11CC1",
        "C%11CC%11",
        "C1CC=1",
        "C=1CC1",
        "C=1CC=1",
        "C1CCCCCCC#1",
        "C(C)",
        "C(C(C))",
        "F/C=C/F",
        "C/1CCCCCC=C1",
        "[C@]12CC1C2",
        "C12C3C4C1C5C2C3C45",
        "CS(=O)(=O)C",
        "[H][H]",
        "CC(*)C",
        "[O-][N+](=O)C",
        "F[P-](F)(F)(F)(F)F",
        "O=[Cl+2]([O-])[O-]",
    ],
)
def test_unusual_writings_are_accepted(text):
    tokens = Smiles().tokenize(text)
    assert accepted(kekule(sorted(set(tokens))), [tokens]) == [True]


@pytest.mark.parametrize(
    "text",
    ["C11", "C1C1", "C12CC12", "C=1CC-1", "C#1CC#1", "C(C)1CC1", "CF=C", "FC(F)(F)(F)F", "N(=O)=O", "C[H]C", "C="],
)
def test_what_rdkit_refuses_or_the_form_leaves_out_is_refused(text):
    tokens = re.findall(r"\[[^]]*\]|.", text)
    assert accepted(kekule(sorted(set(tokens))), [tokens], spare=4) == [False]


@pytest.mark.parametrize("text", ["OI=[OH+]", "[OH+]=IO", "O=I(O)=[O+]C", "O[I]=1CCC[O+]1", "O[I]1CCC[O+]=1"])
def test_a_double_bond_that_rdkit_rewrites_to_nonsense_is_refused(text):
    tokens = re.findall(r"\[[^]]*\]|.", text)
    constraint = kekule([*sorted(set(tokens)), "1", "2"])
    assert accepted(constraint, [tokens], spare=4) == [False]
    without = kekule(sorted(set(tokens) - {"I", "[I]"}))  # then no token is in doubt
    assert set(tokens_of_kekule(without.vocab).pair) == {0}


@pytest.mark.parametrize(
    ("atom", "bonds"),
    [("C", 4), ("N", 3), ("O", 2), ("F", 1), ("S", 6), ("P", 5), ("[NH+]", 3), ("[O-]", 1), ("[CH]", 3), ("[He]", 0)],
)
def test_valences_are_those_of_rdkit(atom, bonds):
    assert bonds_of(atom) == bonds


def test_aromatic_tokens_and_separate_parts_are_refused():
    constraint = kekule("C c n [nH] . : ~ $ -> [CH9] 1".split())
    assert constraint.refused_tokens == ("c", "n", "[nH]", ".", ":", "~", "$", "->", "[CH9]")
    assert not constraint.allowed(constraint.start(1, 9))[0, [constraint.vocab.index("c"), EOS, PAD]].any()


def test_a_vocabulary_without_atoms_is_refused():
    with pytest.raises(ValueError, match="none of the 3 tokens is an atom"):
        kekule("c n =".split())


def test_numbers_written_in_two_ways_are_one_ring():
    constraint = kekule("C 1 %(1)".split())
    assert accepted(constraint, [["C", "1", "C", "C", "%(1)"], ["C", "1", "C", "C", "1"]]) == [True, True]


def prefix(constraint: Kekule, tokens: list[str], budget: int = 30):
    state = constraint.start(1, budget)
    for token in tokens:
        state = constraint.advance(state, torch.tensor([constraint.vocab.index(token)]))
    return state


@pytest.mark.parametrize(
    ("written", "token", "budget", "clause"),
    [
        ("C1", "1", 30, "ring 1 was opened at this very atom"),
        ("C1C", "1", 30, "ring 1 was opened at an atom that this one is bonded to"),
        ("CF", "C", 30, "the atom has 0 free valences, 'C' needs 1"),
        ("CO", "=", 30, "the atom has 1 free valence, '=' needs 2"),
        ("C=", "F", 30, "F takes bonds of order 1 in all, this one needs 2"),
        ("C=", ")", 30, "')' stands where an atom or a ring number is expected"),
        ("C", ")", 30, "no branch is open"),
        ("C1CC", "<eos>", 30, "ring 1 is open"),
        ("C(C", "<eos>", 30, "a branch is open"),
        ("C=1CC-", "1", 30, "ring 1 was opened with another bond"),
        ("C", "c", 30, "'c' is no token of a SMILES in Kekule form"),
        ("C1CC", "C", 6, "needs 3 tokens with <eos>, 2 are left"),
        ("O1", "F", 30, "some bond or ring could never be completed"),
        ("CC<eos>", "C", 30, "the string has ended"),
        ("C", "C", 30, ""),
    ],
)
def test_reasons_are_told_in_one_clause(written, token, budget, clause):
    constraint = kekule("C c F O = - ( ) 1".split())
    tokens = re.findall(r"<eos>|.", written)
    if clause.startswith("needs"):
        budget = len(tokens) + 2
    assert constraint.reason(prefix(constraint, tokens, budget), constraint.vocab.index(token)) == clause


def test_every_forbidden_token_has_a_reason():
    constraint = kekule(RICH)
    for tokens in ([], ["C"], ["C", "("], ["C", "=", "1"], ["C", "1", "C", "="], ["C", "(", "C", ")"]):
        state = prefix(constraint, tokens)
        for token in (~state.allowed[0]).nonzero()[:, 0].tolist():
            assert constraint.reason(state, token)


def test_forks_joined_and_replaced_rows_go_on_as_they_would_alone():
    constraint = kekule(RICH)
    budgets = torch.tensor([12, 30, 21, 9])
    tokens = torch.tensor([[constraint.vocab.index(word) for word in row] for row in ["C1CC", "C(=C", "N(C1", "CC(C"]])
    state = constraint.start(4, budgets)
    for column in tokens.unbind(1):
        state = constraint.advance(state, column)
    alone = [constraint.start(1, 30) for _ in range(4)]
    for row, single in enumerate(alone):
        single.left.fill_(int(budgets[row]))
        for token in tokens[row]:
            single = constraint.advance(single, token[None])
        alone[row] = single
    assert torch.equal(concat(alone).allowed, state.allowed)
    order = torch.tensor([2, 0, 0, 3])
    forked = state[order]
    forked.put(torch.tensor([1]), constraint.start(1, 30))
    assert torch.equal(forked.allowed[1], constraint.start(1, 30).allowed[0])
    after = constraint.advance(forked, torch.full((4,), constraint.vocab.index("C")))
    ahead = constraint.advance(state, torch.full((4,), constraint.vocab.index("C")))
    assert torch.equal(after.allowed[[0, 2, 3]], ahead.allowed[[2, 0, 3]])


def test_free_running_under_random_weights_writes_molecules():
    constraint = kekule(RICH)
    torch.manual_seed(2)
    network = Generator(constraint.n_vocab, d_embedding=4, d_hidden=8)
    with torch.no_grad():
        network.output.weight.mul_(20)
    tokens = FreeRun(network, constraint, 20, batch_size=30)(100).tokens  # rows that end hand their place on
    texts = ["".join(constraint.vocab[i] for i in row if i > EOS) for row in tokens.tolist()]
    assert all(parse(text) is not None for text in texts)
    assert len(set(texts)) > 30


def test_dead_and_ended_rows_allow_padding_alone():
    constraint = kekule("C O 1 =".split())
    state = constraint.start(3, 9)
    for column in torch.tensor([[4, 4], [5, 1], [4, EOS]]).unbind(1):
        state = constraint.advance(state, column)
    assert state.allowed[1:].nonzero().tolist() == [[0, PAD], [1, PAD]]
    state = constraint.advance(state, torch.tensor([PAD, PAD, PAD]))
    assert state.allowed.nonzero().tolist() == [[0, PAD], [1, PAD], [2, PAD]]


def test_each_row_obeys_its_own_budget():
    budgets = torch.arange(2, 40)
    state, n_written = kekule(RICH).start(len(budgets), budgets), torch.zeros(len(budgets))
    generator = torch.Generator().manual_seed(5)
    for _ in range(40):
        allowed = state.allowed.clone()
        allowed[:, EOS] &= allowed.sum(1) == 1
        tokens = torch.multinomial(allowed.float(), 1, generator=generator)[:, 0]
        n_written += tokens != PAD
        state = kekule(RICH).advance(state, tokens)
    assert state.allowed[:, PAD].all()
    assert (n_written <= budgets).all()


def test_no_rows_are_fine():
    constraint = kekule(RICH)
    state = constraint.advance(constraint.start(0, 9), torch.zeros(0, dtype=torch.int64))
    assert state.allowed.shape == (0, constraint.n_vocab)


def test_a_budget_below_two_tokens_is_refused():
    with pytest.raises(ValueError, match="below the shortest string"):
        kekule("C").start(1, 1)
