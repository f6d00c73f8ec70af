"""Sentences with two trees each: the declared one at the left of the words, the predicted one at the right."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from assay.evidence import Table
from assay.report.canvas import INK, MUTED, VALUE, WIDTH, Canvas, Panel, Pixels, shortened, width_of
from assay.report.families import grouped
from assay.report.pictures.picture import Cell, Picture, rows_of
from assay.report.words import counted

NEEDED = ("sentence", "word", "form", "gold head", "gold relation", "predicted head", "predicted relation")
MAX_SENTENCES = 12
MAX_WORDS = 60  # of a sentence that is drawn
ROW = 17
TOP = 12
RELATION = 50  # pixels at either edge
WORD = 92  # most pixels of the words in the middle
STEP = 8  # from one bracket to the next further out, at most
OFF = 3  # from the middle of its row at which a bracket leaves the head

Arc = tuple[int, int]
"""Places of head and dependent."""


@dataclass(frozen=True)
class Sentence:
    """Words in their order, and two sets of arcs between their places, each with its relation. A root has no arc."""

    name: str
    words: tuple[str, ...]
    gold: Mapping[Arc, str]
    predicted: Mapping[Arc, str]
    gold_relations: tuple[str, ...]
    predicted_relations: tuple[str, ...]

    @property
    def num_right(self) -> int:
        """How many declared arcs are predicted."""
        return len(self.gold.keys() & self.predicted.keys())

    @property
    def score(self) -> str:
        """`7 of 9 heads right, 6 of them with their relation`."""
        with_relation = len(self.gold.items() & self.predicted.items())
        return f"{self.num_right} of {counted(len(self.gold), 'head')} right, {with_relation} of them with their relation"


def tree_picture(table: Table) -> Picture | None:
    """A panel for each sentence, of which the reader opens one at a time.

    Drawn are tables with the columns sentence, word, form, gold head, gold relation, predicted head and predicted relation. A
    head is the index of a word of the sentence; any other, or none, makes a root. A word with two heads has two rows.
    """
    rows = rows_of(table, NEEDED)
    if not rows:
        return None
    every = [_sentence(str(name), members) for name, members in grouped(rows, lambda row: row["sentence"]).items()]
    shown = [sentence for sentence in every if len(sentence.words) <= MAX_WORDS][:MAX_SENTENCES]
    if not shown:
        return None
    left_out = len(every) - len(shown)
    return Picture(
        table.name,
        "Brackets join each word to its head; the small triangle points at the dependent. At the left is the declared tree, at "
        "the right the predicted one: solid where it agrees, dashed where it does not. At either edge stands the relation of "
        "the word to its head. The numbers after a sentence count the heads that are right. Choose a sentence to see "
        "its trees.",
        tuple(_panel(sentence) for sentence in shown),
        choices=tuple(f"{' '.join(sentence.words)} ({sentence.num_right} of {len(sentence.gold)})" for sentence in shown),
        left_out=f"{counted(left_out, 'more sentence')} in report.json." if left_out else "",
    )


def _sentence(name: str, rows: Sequence[Mapping[str, Cell]]) -> Sentence:
    places = {row["word"]: place for place, row in enumerate({row["word"]: row for row in rows}.values())}
    forms = {row["word"]: str(row["form"]) for row in rows}
    arcs: dict[str, dict[Arc, str]] = {}
    relations: dict[str, tuple[str, ...]] = {}
    for side in ("gold", "predicted"):
        arcs[side] = {}
        named: dict[int, list[str]] = {place: [] for place in places.values()}
        for row in rows:
            head, place, relation = row[f"{side} head"], places[row["word"]], str(row[f"{side} relation"] or "")
            if relation and relation not in named[place]:
                named[place].append(relation)
            if head in places and head is not None and places[head] != place:
                arcs[side][places[head], place] = relation
        relations[side] = tuple(" ".join(named[place]) for place in places.values())
    return Sentence(name, tuple(forms.values()), arcs["gold"], arcs["predicted"], relations["gold"], relations["predicted"])


def _panel(sentence: Sentence) -> Panel:
    canvas = Canvas(TOP + 14 + ROW * max(1, len(sentence.words)))
    wide = min(WORD, max(map(width_of, sentence.words), default=0.0) + 12)
    for words, x, align in (("declared", 0, "left"), ("predicted", WIDTH, "right")):
        canvas.text(words, x, 8, align=align, colour=MUTED)
    for place, word in enumerate(sentence.words):
        gold, predicted = sentence.gold_relations[place], sentence.predicted_relations[place]
        canvas.text(shortened(word, wide), WIDTH / 2, _row(place), align="center")
        canvas.text(shortened(gold, RELATION, 9), 0, _row(place), size=9, colour=MUTED)
        wrong = gold != predicted
        weight, colour = ("bold", INK) if wrong else ("normal", MUTED)
        canvas.text(shortened(predicted, RELATION, 9), WIDTH, _row(place), align="right", size=9, colour=colour, weight=weight)
    agreed = sentence.gold.keys() & sentence.predicted.keys()
    _brackets(canvas, tuple(sentence.gold), -1, wide, agreed=sentence.gold.keys(), colour=MUTED)
    _brackets(canvas, tuple(sentence.predicted), 1, wide, agreed=agreed, colour=VALUE)
    return canvas.panel(f"Sentence {sentence.name}", sentence.score, _told(sentence))


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


def _told(sentence: Sentence) -> str:
    """Every word with its heads: `dog: declared nsubj of barks, predicted obj of barks`."""

    def head(arcs: Mapping[Arc, str], place: int) -> str:
        found = [f"{relation} of {sentence.words[top]}".strip() for (top, low), relation in arcs.items() if low == place]
        return " and ".join(found) or "root"

    told = [
        f"{word}: declared {head(sentence.gold, place)}, predicted {head(sentence.predicted, place)}"
        for place, word in enumerate(sentence.words)
    ]
    return f"{sentence.score}. {'; '.join(told)}."
