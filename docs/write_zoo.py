"""Writes the figures of docs/zoo.md, between its two marks, from the table that ships.

python docs/write_zoo.py    # after `python -m zoo.score --measured DIR --out src/assay/verdict/error_rates.json`
"""

from pathlib import Path

from assay.verdict.rates import ErrorRates, Figure, shipped_rates

PAGE = Path(__file__).with_name("zoo.md")
START, END = "<!-- figures: written by docs/write_zoo.py -->", "<!-- end of figures -->"
MEANING = {
    "level0_auroc": "level 0: AUROC of C at the headline cut, composers against natural imitators",
    "level0_auroc_worst_family": "the same, worst family",
    "level0_over_baseline": "the same, above the best baseline",
    "e_auroc": "level 1: AUROC of E among networks with C >= .9, composers against contradicted and attacked ones",
    "e_auroc_worst_kind": "the same, worst kind",
    "c_spearman_partial": "level 0: Spearman of C with the novel score, partial networks with E >= .9",
    "label_free_auroc": "neither label nor executor: AUROC of Cs*E, composers against natural imitators",
    "level0_false_composes_upper": "level 0: natural imitators called composing, upper end of the interval",
    "level0_contradicted_called_composing": "level 0: contradicted ones with a novel score below .5 called composing",
    "partial_called_composing": "levels 1 and 2: networks with a novel score of .5 to .9 called composing",
    "where_broken": "a planted fault is named by its place",
    "combining_call": "composers: the combining interval holds the operation that combines, and is at most two wide",
    "refactor_change": "refactors and ensembles: largest change of any value",
    "twin_flips": "verdicts changed by a function-preserving twin",
    "ignored_shown_carried": "parts that a network ignores, shown as carried",
    "share_judged": "share judged, the lower of levels 0 and 1",
}
COUNTED = ("composers called so", "judged, conformal")
"""Beginnings of further figures that the page leaves out: its first table has the counts."""
CLASSES = (
    "attacks, novel score below .5",
    "contradicted, novel score below .5",
    "natural imitators",
    "novel score .5 to .9",
    "composers",
)


def page(text: str, table: ErrorRates) -> str:
    """The page with the figures of a table between its marks."""
    before, rest = text.split(START)
    return f"{before}{START}\n\n{figures(table)}\n\n{END}{rest.split(END)[1]}"


def figures(table: ErrorRates) -> str:
    """Three tables: wrong answers by class, the figures, and what stands beside them."""
    lines = [f"{table.subjects} of the {table.declared} networks outside the sealed family had been built and measured.", ""]
    lines += ["| what they are | rule | level | works | works in part | does not work | not resolved | wrong |"]
    lines += ["| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    for kind in CLASSES:
        for one in table.calls:
            if one.kind == kind:
                counts = [str(one.answers.get(name, 0)) for name in ("works", "works in part", "does not work", "not resolved")]
                wrong = f"{one.wrong.number} {one.wrong.span}" if one.wrong else ""
                lines.append(f"| {kind} | {one.rule} | {one.level} | {' | '.join(counts)} | {wrong} |")
    lines += ["", "| figure | value | 95 % | networks | must | aim |", "| --- | ---: | --- | ---: | --- | --- |"]
    for key, figure in table.figures.items():
        must, aim = table.bounds[key]
        lines.append(f"| {MEANING[key]} [`{key}`] | {_cells(figure)} | {must} | {aim} |")
    lines += ["", "| beside | value | 95 % | networks |", "| --- | ---: | --- | ---: |"]
    lines += [f"| {name} | {_cells(figure)} |" for name, figure in table.beside.items() if not name.startswith(COUNTED)]
    return "\n".join([*lines, "", *table.notes])


def _cells(figure: Figure) -> str:
    return f"{figure.number} | {figure.span} | {figure.subjects}"


def main() -> None:
    PAGE.write_text(page(PAGE.read_text(), shipped_rates()))


if __name__ == "__main__":
    main()
