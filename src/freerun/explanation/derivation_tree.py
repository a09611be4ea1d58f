"""The tree of a derivation as SVG: literals from left to right read the string, numbers are the rules in order."""

import itertools

from markupsafe import Markup, escape

from freerun.explanation.derivation import Derivation, Node

MAX_NODES = 1500
LEVEL, CHARACTER, GAP, MARGIN = 40.0, 7.9, 9.0, 16.0


def tree_svg(derivation: Derivation) -> Markup | None:
    """The drawing; `class="k7"` on the node at which rule 7 of the derivation is applied, counted from 0. None where
    there are more than `MAX_NODES` symbols."""
    nodes = derivation.tree()
    if len(nodes) > MAX_NODES:
        return None
    labels = [_label(derivation, node) for node in nodes]
    centres, width = _columns(nodes, labels)
    height = 2 * MARGIN + LEVEL * max(node.depth for node in nodes) + 8
    lines, texts = [], []
    for number, node in enumerate(nodes):
        x, y = centres[number], MARGIN + 8 + LEVEL * node.depth
        for child in node.children:
            lines.append(f'<line x1="{x:.1f}" y1="{y + 7:.1f}" x2="{centres[child]:.1f}" y2="{y + LEVEL - 12:.1f}"/>')
        texts.append(_symbol(derivation, node, labels[number], x, y))
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" style="--width:{width:.0f}px"'
    return Markup(f'<svg class="tree" {size}>{"".join(lines)}{"".join(texts)}</svg>')


def _symbol(derivation: Derivation, node: Node, label: str, x: float, y: float) -> str:
    text = f'<text x="{x:.1f}" y="{y + 4:.1f}">{escape(label)}</text>'
    if node.rule is None:
        kind = "literal" if node.symbol else "empty"
        return f'<g class="{kind}">{text}</g>'
    title = f"step {(node.step or 0) + 1}, rule {node.rule}: {derivation.grammar.shown(node.rule)}"
    half = CHARACTER * len(label) / 2
    number = f'<text class="number" x="{x + half + 2:.1f}" y="{y + 4:.1f}">r{node.rule}</text>'
    return f'<g class="nonterminal k{node.step}"><title>{escape(title)}</title>{text}{number}</g>'


def _label(derivation: Derivation, node: Node) -> str:
    if node.symbol == "":
        return "ε"
    return derivation.named(node.symbol).replace(" ", "\u2423").replace("\n", "\u21b5").replace("\t", "\u21e5")


def _columns(nodes: tuple[Node, ...], labels: list[str]) -> tuple[list[float], float]:
    """The centre of each node, and the width of all.

    Subtrees stand as close beside one another as their outlines allow, level by level, and a parent above the middle of
    its first and last child (Reingold and Tilford 1981, doi:10.1109/TSE.1981.234519).
    """
    halves = [
        (CHARACTER * len(label) + GAP) / 2 + (0.0 if node.rule is None else 4.0 + 5.4 * len(str(node.rule)))
        for label, node in zip(labels, nodes, strict=True)
    ]
    shifts = [0.0] * len(nodes)  # of a node's centre against its parent's
    outlines: list[list[tuple[float, float]]] = [
        [] for _ in nodes
    ]  # left and right edge, a level each, from the centre
    for number in reversed(range(len(nodes))):
        children, edges = nodes[number].children, list[tuple[float, float]]()
        places: list[float] = []
        for child in children:
            outline = outlines[child]
            place = max((r - left for (_, r), (left, _) in zip(edges, outline, strict=False)), default=0.0)
            places.append(place)
            moved = [(left + place, right + place) for left, right in outline]
            edges = [
                (a[0] if a else b[0], b[1] if b else a[1]) for a, b in itertools.zip_longest(edges, moved) if a or b
            ]
            outlines[child] = []
        middle = (places[0] + places[-1]) / 2 if places else 0.0
        for child, place in zip(children, places, strict=True):
            shifts[child] = place - middle
        outlines[number] = [(-halves[number], halves[number]), *((a - middle, b - middle) for a, b in edges)]
    left, right = min(a for a, _ in outlines[0]), max(b for _, b in outlines[0])
    centres = [0.0] * len(nodes)
    centres[0] = MARGIN - left
    for number, node in enumerate(nodes):
        for child in node.children:
            centres[child] = centres[number] + shifts[child]
    return centres, 2 * MARGIN + right - left
