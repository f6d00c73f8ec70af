"""From what was measured of each network to the table of error rates, with all baselines beside it.

python -m zoo.score --measured DIR               # print
python -m zoo.score --measured DIR --out FILE    # and write what ships
python -m zoo.score --measured DIR --open-sealed # the sealed family alone, once for a release

The records of the sealed family are not read otherwise.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from assay.store import write_json
from assay.verdict.rates import ErrorRates, Figure
from zoo.blind import NOT_CARRIED, BlindSpots, blind_of
from zoo.calls import CONFORMAL, FIXED, answers_of, calls, share_judged
from zoo.classes import (
    PLANTED,
    attack,
    between,
    broken,
    composer,
    contradicted,
    counted,
    entangled,
    imitator,
    learned,
    made_as,
    natural,
    partial_with_a_way_in,
    planted,
    wrong_in_places,
)
from zoo.conformal import NUMBERS, Conformal
from zoo.figures import (
    FEWEST,
    Rows,
    Statistic,
    Which,
    auroc,
    clustered,
    largest,
    rank_correlation,
    ranking,
    share,
    share_of,
    upper_end,
)
from zoo.leak import recipe_scores
from zoo.manifest import Member, manifest
from zoo.measure import C, E, Measured, measured_of
from zoo.scores import NETWORK_FREE, at_headline, baseline, baselines, combines, novel_score, without_labels

WIDEST = 2  # calls between which the parts may be combined
ATTACKS_OF_E = ("way-in", "retaught", "combining", "front", "interchange")
BOUNDS: Mapping[str, tuple[str, str]] = {
    "level0_auroc": (">= .85", ".95"),
    "level0_auroc_worst_family": (">= .75", ".90"),
    "level0_over_baseline": (">= .10", ".25"),
    "e_auroc": (">= .90", ".98"),
    "e_auroc_worst_kind": (">= .85", ".95"),
    "c_spearman_partial": (">= .75", ".90"),
    "label_free_auroc": ("no bound", ""),
    "level0_false_composes_upper": ("<= .08", ".05"),
    "level0_contradicted_called_composing": ("no bound", ""),
    "partial_called_composing": ("<= .05", "0"),
    "where_broken": (">= .90", ".97"),
    "combining_call": (">= .90", "1"),
    "refactor_change": ("<= 1e-4", "0"),
    "twin_flips": ("<= .01", "0"),
    "ignored_shown_carried": ("<= .05", "0"),
    "share_judged": (">= .80", ".90"),
}


def read_measured(folder: Path, members: Sequence[Member], *, sealed: bool = False) -> list[Measured]:
    """Records of the networks that were measured: with `sealed` of the sealed families alone, else of all others.

    **Raises:** `AssayError` for a damaged one.
    """
    found = [measured_of(folder, member) for member in members if member.sealed == sealed]
    return [one for one in found if one is not None]


def score(rows: Rows, *, blind: BlindSpots | None = None, declared: int = 0) -> ErrorRates:
    """The table."""
    figures = {**_rankings(rows), **_rates(rows, blind)}
    return ErrorRates(
        subjects=len(rows),
        declared=max(declared, len(rows)),
        sealed=sum(row.truth.sealed for row in rows),
        figures={key: figures[key] for key in BOUNDS},
        bounds=dict(BOUNDS),
        beside=_beside(rows),
        calls=calls(rows),
        notes=_notes(rows),
    )


# Figures


def _rankings(rows: Rows) -> dict[str, Figure]:
    classed = [row for row in rows if composer(row) or imitator(row)]
    of_c = ranking(at_headline(C), composer, imitator)
    beside = baselines(rows)

    tested = [row for row in rows if combines(row) and (composer(row) or broken(row))]
    asked = [row for row in rows if partial_with_a_way_in(row)]
    return {
        "level0_auroc": clustered(classed, of_c, subjects=len(classed)),
        "level0_auroc_worst_family": clustered(
            classed, worst(of_c, lambda row: row.truth.family, classed), subjects=len(classed)
        ),
        "level0_over_baseline": clustered(classed, above(of_c, beside.values()), subjects=len(classed)),
        "e_auroc": clustered(tested, ranking(at_headline(E), composer, broken), subjects=len(tested)),
        "e_auroc_worst_kind": clustered(tested, worst_kind(tested), subjects=len(tested)),
        "c_spearman_partial": clustered(
            asked, rank_correlation(at_headline(C), novel_score, partial_with_a_way_in), subjects=len(asked)
        ),
        "label_free_auroc": clustered(classed, ranking(without_labels, composer, imitator), subjects=len(classed)),
    }


def above(statistic: Statistic, others: Iterable[Statistic]) -> Statistic:
    """How far a ranking lies above the best of some others."""
    others = tuple(others)

    def over(rows: Rows) -> float:
        value = statistic(rows)
        return math.nan if math.isnan(value) else value - max(other(rows) for other in others)

    return over


def worst(statistic: Statistic, group: Callable[[Measured], str], rows: Rows) -> Statistic:
    """The smallest of a ranking over the groups that have at least three networks of each class in these rows."""
    names = [
        name
        for name in sorted({group(row) for row in rows})
        if all(sum(which(row) and group(row) == name for row in rows) >= FEWEST for which in (composer, imitator))
    ]

    def smallest(some: Rows) -> float:
        found = [statistic([row for row in some if group(row) == name]) for name in names]
        known = [one for one in found if not math.isnan(one)]
        return min(known) if known else math.nan

    return smallest


def worst_kind(rows: Rows) -> Statistic:
    """The smallest AUROC of E, composers against one kind of broken networks, over kinds with at least three of them."""
    kinds = [kind for kind in ATTACKS_OF_E if sum(broken(row) and row.truth.kind == kind for row in rows) >= FEWEST]

    def smallest(some: Rows) -> float:
        found = [
            auroc(
                [at_headline(E)(row) for row in some if composer(row)],
                [at_headline(E)(row) for row in some if broken(row) and row.truth.kind == kind],
            )
            for kind in kinds
        ]
        known = [one for one in found if not math.isnan(one)]
        return min(known) if known else math.nan

    return smallest


def _rates(rows: Rows, blind: BlindSpots | None) -> dict[str, Figure]:
    answers = answers_of(rows)

    def called(which: Which, *levels: int) -> Figure:
        some = [row for row in rows if which(row)]
        return share_of(some, lambda row: any(answers[FIXED, level][row.name] == "works" for level in levels))

    judged = [share_judged(rows, answers[FIXED, level], counted) for level in (0, 1)]
    carried = blind.carried if blind else ()
    twins = pairs(rows, "twin")
    of = {row.name: original for row, original in twins}
    return {
        "level0_false_composes_upper": upper_end(called(imitator, 0)),
        "level0_contradicted_called_composing": called(contradicted, 0),
        "partial_called_composing": called(between, 1, 2),
        "where_broken": share_of([row for row in rows if planted(row)], where_broken),
        "combining_call": share_of([row for row in rows if _with_a_call(row)], holds_the_call),
        "refactor_change": largest([change(row, original) for row, original in pairs(rows, "refactor", "ensemble")]),
        "twin_flips": share_of([row for row, _ in twins], lambda row: row.verdicts != of[row.name].verdicts),
        "ignored_shown_carried": share([one not in NOT_CARRIED for one in carried]),
        "share_judged": min(judged, key=lambda one: math.inf if one.value is None else one.value),
    }


def where_broken(row: Measured) -> bool:
    """Whether a planted fault is named rightly at the headline cut. The rule was written down before anything was scored:

    - At the headline cut (the last behind the first non-affine call and before the last, at which Es has a lower bound of .9),
      C below .9 says "the combining"; C of at least .9 and E below .9 says "the way in"; both of at least .9 say "nothing
      found"; without such a cut it is "not resolved". It is `assay.instruments.recombination.rules.what_breaks`, as it ships.
    - Scored are composers in which one fault was planted, by teaching wrong names of a share of the novel combinations (kinds
      `way-in` and `retaught`: the way in) or wrong answers (`combining`), and that certainly do not work: the upper bound of
      the novel score is below .9. A fault without an effect cannot be named.
    - Anything but the name of the planted place is wrong, "not resolved" too.
    """
    return row.verdicts[1].breaks == PLANTED[row.truth.kind]


def _with_a_call(row: Measured) -> bool:
    return composer(row) and bool(row.truth.combining)


def holds_the_call(row: Measured) -> bool:
    """Whether the parts are said to be combined between cuts at most two non-affine calls apart, with the head's ReLU between
    them."""
    if row.combined is None or row.combined[1] - row.combined[0] > WIDEST:
        return False
    return any(call.partition("#")[0].startswith(row.truth.combining) for call in row.calls.split(", "))


def pairs(rows: Rows, *kinds: str) -> list[tuple[Measured, Measured]]:
    """Networks of a kind with the networks whose function they have, where both learned their task."""
    by_name = {row.name: row for row in rows}
    return [
        (row, by_name[row.truth.of])
        for row in rows
        if row.truth.kind in kinds and row.truth.of in by_name and learned(row) and learned(by_name[row.truth.of])
    ]


def change(row: Measured, original: Measured) -> float:
    """The largest difference between two records in any value; a value that only one has is a change of 1."""

    def table(one: Measured) -> dict[tuple, float | None]:
        return {
            (value.key, *sorted((name, told) for name, told in value.about.items() if name != "cut")): value.value
            for value in one.values
        }

    first, second = table(row), table(original)
    found = [0.0]
    for key in {*first, *second}:
        a, b = first.get(key), second.get(key)
        found.append(0.0 if a is None and b is None else 1.0 if a is None or b is None else abs(a - b))
    return max(found)


def _beside(rows: Rows) -> dict[str, Figure]:
    classed = [row for row in rows if composer(row) or imitator(row)]
    found = {f"auroc of {name}": clustered(classed, one, subjects=len(classed)) for name, one in baselines(rows).items()}
    of_c = ranking(at_headline(C), composer, imitator)
    pure = made_as("composer", composer), made_as("imitator", imitator)
    some = [row for row in classed if pure[0](row) or pure[1](row)]
    free = [one for name, one in baselines(rows).items() if name in NETWORK_FREE]
    found["auroc of C, above the best that needs no network"] = clustered(classed, above(of_c, free), subjects=len(classed))
    found["auroc of C, made as what they are"] = clustered(some, ranking(at_headline(C), *pure), subjects=len(some))
    with_cut = [row for row in classed if row.headline is not None]
    found["auroc of C, networks with a headline cut"] = clustered(with_cut, of_c, subjects=len(with_cut))
    wide = [row for row in rows if counted(row) and (composer(row) or row.truth.label == "imitates")]
    every = ranking(at_headline(C), composer, lambda row: counted(row) and row.truth.label == "imitates")
    found["auroc of C, contradicted and attacked among imitators"] = clustered(wide, every, subjects=len(wide))
    for family in sorted({row.truth.family for row in classed}):
        own = [row for row in classed if row.truth.family == family]
        found[f"auroc of C, {family}"] = clustered(own, of_c, subjects=len(own))
    for name, scores in recipe_scores(rows, composer, imitator).items():
        chosen = [row for row in classed if row.name in scores]
        leak = ranking(lambda row, scores=scores: scores[row.name], composer, imitator)
        found[f"leak: auroc of the recipe, {name}"] = clustered(chosen, leak, subjects=len(chosen))
    for which, told in ((composer, "composers"), (imitator, "imitators"), (counted, "all")):
        found[f"without a headline cut, {told}"] = share_of(
            [row for row in rows if which(row)], lambda row: row.headline is None
        )
    asked = [row for row in rows if partial_with_a_way_in(row)]
    for name in ("coverage", "main effects"):
        correlation = rank_correlation(baseline(name), novel_score, partial_with_a_way_in)
        found[f"spearman of {name}, partial"] = clustered(asked, correlation, subjects=len(asked))
    tested = [row for row in rows if combines(row) and (composer(row) or broken(row))]
    for kind in ATTACKS_OF_E:
        own = [row for row in tested if composer(row) or row.truth.kind == kind]
        if len(own) > sum(map(composer, own)):
            found[f"auroc of E, {kind}"] = clustered(own, ranking(at_headline(E), composer, broken), subjects=len(own))
    slight = [row for row in rows if combines(row) and (composer(row) or wrong_in_places(row))]
    of_e = ranking(at_headline(E), composer, wrong_in_places)
    found["auroc of E, however few are taught wrongly"] = clustered(slight, of_e, subjects=len(slight))
    for kind, place in PLANTED.items():
        told = share_of([row for row in rows if planted(row) and row.truth.kind == kind], where_broken)
        found[f"where broken, {kind} ({place})"] = told
    found["combining call, imitators and partial"] = share_of(
        [row for row in rows if counted(row) and row.truth.combining and not composer(row)], holds_the_call
    )
    return {**found, **_beside_rates(rows)}


def _beside_rates(rows: Rows) -> dict[str, Figure]:
    answers = answers_of(rows)

    def works(rule: str, level: int, which: Which) -> Figure:
        return share_of([row for row in rows if which(row)], lambda row: answers[rule, level][row.name] == "works")

    found = {"attacks called composing, level 0": works(FIXED, 0, attack)}
    found["partial called composing, level 0"] = works(FIXED, 0, between)
    taught = "partial called composing, level 0, taught nothing wrong"
    found[taught] = works(FIXED, 0, lambda row: between(row) and natural(row))
    for rule in (FIXED, CONFORMAL):
        for level in (0, 1):
            told = f"{rule}, level {level}"
            found[f"judged, {told}, all"] = share_judged(rows, answers[rule, level], counted)
            found[f"judged, {told}, composers and imitators"] = share_judged(
                rows, answers[rule, level], lambda row: composer(row) or imitator(row)
            )
            found[f"composers called so, {told}"] = works(rule, level, composer)
    return found


def _notes(rows: Rows) -> tuple[str, ...]:
    some = [row for row in rows if counted(row)]
    bands = []
    for level, number in NUMBERS.items():
        low, high = Conformal.of(some, number).band
        bands.append(f"level {level}: works from {high:.3f}, does not work up to {low:.3f}")
    failed = [row.name for row in rows if row.failed]
    seconds = sum(row.cpu_seconds for row in rows)
    out = [row for row in rows if not learned(row)]
    return (
        f"{len(out)} networks that did not learn, and {sum(learned(row) and not entangled(row) for row in rows)} of inputs"
        " that are not entangled, are left out of all but refactors and twins.",
        f"Conformal thresholds from all families ({len(some)} networks): {'; '.join(bands)}.",
        f"Measuring took {seconds:.0f} CPU s, {seconds / max(1, len(rows)):.1f} a network.",
        *([f"An instrument broke off on {', '.join(failed[:5])}."] if failed else []),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measured", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--open-sealed", action="store_true")
    options = parser.parse_args()
    members = manifest().members()
    rows = read_measured(options.measured, members, sealed=options.open_sealed)
    declared = sum(member.sealed == options.open_sealed for member in members)
    table = score(rows, blind=blind_of(options.measured), declared=declared)
    if options.out:
        write_json(options.out, table)
    print(table.as_text())


if __name__ == "__main__":
    main()
