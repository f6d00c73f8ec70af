"""Texts with two graphs each: the declared one at the left of the words, the predicted one at the right."""

from collections.abc import Sequence, Set

from assay.display import counted
from assay.figure import Edge, Parse, RelationGraphs
from assay.report.canvas import INK, MUTED, VALUE, WIDTH, Canvas, Panel, Pixels, shortened, width_of
from assay.report.pictures.picture import DrawnFigure

MAX_TEXTS = 12
MAX_WORDS = 60  # of a text that is drawn
ROW = 17
TOP = 12
RELATION = 50  # pixels at either edge
WORD = 92  # most pixels of the words in the middle
STEP = 8  # from one bracket to the next further out, at most
OFF = 3  # from the middle of its row at which a bracket leaves the head

Arc = tuple[int, int]
"""Places of head and dependent."""


def graphs_picture(graphs: RelationGraphs) -> DrawnFigure | None:
    """A panel for each text, of which the reader opens one at a time; None where no text can be drawn."""
    shown = [text for text in graphs.texts if 0 < len(text.words) <= MAX_WORDS][:MAX_TEXTS]
    if not shown:
        return None
    left_out = len(graphs.texts) - len(shown)
    return DrawnFigure(
        graphs.name,
        graphs.caption,
        tuple(map(_panel, shown)),
        choices=tuple(f"{' '.join(text.words)} ({_num_right(text)} of {len(_arcs(text.declared))})" for text in shown),
        left_out=f"{counted(left_out, 'more text')} in report.json." if left_out else "",
    )


def _arcs(edges: Sequence[Edge]) -> dict[Arc, str]:
    return {(edge.head, edge.dependent): edge.relation for edge in edges}


def _num_right(text: Parse) -> int:
    """How many declared arcs are predicted."""
    return len(_arcs(text.declared).keys() & _arcs(text.predicted).keys())


def _score(text: Parse) -> str:
    """`7 of 9 heads right, 6 of them with their relation`; heads alone where no relation is predicted."""
    declared, predicted = _arcs(text.declared), _arcs(text.predicted)
    score = f"{_num_right(text)} of {counted(len(declared), 'head')} right"
    return (
        f"{score}, {len(declared.items() & predicted.items())} of them with their relation"
        if any(predicted.values())
        else score
    )


def _panel(text: Parse) -> Panel:
    canvas = Canvas(TOP + 14 + ROW * len(text.words))
    wide = min(WORD, max(map(width_of, text.words)) + 12)
    for words, x, align in (("declared", 0, "left"), ("predicted", WIDTH, "right")):
        canvas.text(words, x, 8, align=align, colour=MUTED)
    for place, word in enumerate(text.words):
        declared, predicted = _relations(text.declared, place), _relations(text.predicted, place)
        canvas.text(shortened(word, wide), WIDTH / 2, _row(place), align="center")
        canvas.text(shortened(declared, RELATION, 9), 0, _row(place), size=9, colour=MUTED)
        weight, colour = ("bold", INK) if declared != predicted else ("normal", MUTED)
        canvas.text(shortened(predicted, RELATION, 9), WIDTH, _row(place), align="right", size=9, colour=colour, weight=weight)
    declared, predicted = _arcs(text.declared), _arcs(text.predicted)
    _brackets(canvas, tuple(declared), -1, wide, agreed=declared.keys(), colour=MUTED)
    _brackets(canvas, tuple(predicted), 1, wide, agreed=declared.keys(), colour=VALUE)
    return canvas.panel(text.name, _score(text), _told(text))


def _relations(edges: Sequence[Edge], place: int) -> str:
    """The relations of a word to its heads, each once; `root` where it has no head."""
    found = [edge.relation for edge in edges if edge.dependent == place]
    return " ".join(filter(None, dict.fromkeys(found))) if found else "root"


def _row(place: int) -> Pixels:
    return TOP + 14 + ROW * (place + 0.5)


def _brackets(canvas: Canvas, arcs: Sequence[Arc], side: int, wide: Pixels, *, agreed: Set[Arc], colour: str) -> None:
    """Brackets at one side of the words: shorter ones nearer, none upon another."""
    levels = nested(arcs)
    deepest = max(levels, default=0)
    edge = WIDTH / 2 + side * wide / 2
    room = WIDTH / 2 - wide / 2 - RELATION - 14
    step = min(STEP, room / max(1, deepest))
    for (head, dependent), level in zip(arcs, levels, strict=True):
        x = edge + side * (8 + level * step)
        start = _row(head) + (OFF if dependent > head else -OFF)
        path = [(edge + side * 2, start), (x, start), (x, _row(dependent)), (edge + side * 7, _row(dependent))]
        is_right = (head, dependent) in agreed
        canvas.line(path, colour=colour if is_right else INK, thick=1, dash=() if is_right else (3, 2))
        shape = "triangle-left" if side > 0 else "triangle-right"
        canvas.dot(edge + side * 5, _row(dependent), size=20, colour=colour if is_right else INK, shape=shape)


def nested(arcs: Sequence[Arc]) -> list[int]:
    """How far out the bracket of each arc stands, from 1: beyond all that lie within it, and apart from all that it meets."""
    spans = [(min(arc), max(arc)) for arc in arcs]
    levels: dict[int, int] = {}
    for k in sorted(range(len(arcs)), key=lambda k: (spans[k][1] - spans[k][0], spans[k])):
        low, high = spans[k]
        met = [other for other in levels if spans[other][0] <= high and spans[other][1] >= low]
        within = [levels[other] for other in met if low <= spans[other][0] and spans[other][1] <= high]
        taken = {levels[other] for other in met}
        level = 1 + max(within, default=0)
        while level in taken:
            level += 1
        levels[k] = level
    return [levels[k] for k in range(len(arcs))]


def _told(text: Parse) -> str:
    """Every word with its heads: `dog: declared nsubj of barks, predicted obj of barks`."""

    def head(edges: Sequence[Edge], place: int) -> str:
        found = [f"{edge.relation} of {text.words[edge.head]}".strip() for edge in edges if edge.dependent == place]
        return " and ".join(found) or "root"

    description = [
        f"{word}: declared {head(text.declared, place)}, predicted {head(text.predicted, place)}"
        for place, word in enumerate(text.words)
    ]
    return f"{_score(text)}. {'; '.join(description)}."
