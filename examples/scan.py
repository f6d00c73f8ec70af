"""SCAN: what its published splits ask, before any network is trained. Of every split, how many novel commands can be had from
trained ones by exchanging words that act alike, and how many cannot (outside 1-coverage)."""

from collections import Counter

from assay.evidence import Evidence
from assay.figure import Matrix
from assay.novelty import KINDS, TOLD, novelty_of
from assay.report import figures_of
from assay.report.canvas import Svg
from assay.tasks import load_task

SPLITS = ("addprim_jump", "length", "template_around_right")


def main(splits: tuple[str, ...] = SPLITS) -> Svg:
    """The share of each kind of novelty, by split."""
    shares, notes = [], []
    for split in splits:
        kinds = Counter(novelty_of(load_task(f"scan:{split}")).kinds)
        total = sum(kinds.values())
        shares.append(tuple(kinds[kind] / total for kind in KINDS))
        notes.append(tuple(f"{kinds[kind]:,} commands" for kind in KINDS))
        print(split, {TOLD[kind]: kinds[kind] for kind in KINDS})
    matrix = Matrix(
        name="Novel commands by kind",
        down="split",
        across="kind",
        rows=splits,
        columns=KINDS,
        values=tuple(shares),
        notes=tuple(notes),
        caption="Share of the novel commands of a split.",
        level=0,
    )
    return figures_of(Evidence(instrument="novelty", question="", summary="", figures=(matrix,)))[matrix.name]


if __name__ == "__main__":
    main()
