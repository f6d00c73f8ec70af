"""From the measured networks to the answers: classes by behaviour, rankings with intervals over instances, and the pictures."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from assay.report.canvas import INK, MUTED, VALUE, Canvas, Panel, standalone_svg
from assay.stats import keyed_generator

Network = dict[str, Any]
LEARNED, COMPOSES, IMITATES, PARTIAL, WORKS = 0.95, 0.9, 0.5, (0.1, 0.95), 0.9
MIDDLE = 0.5  # the score of a network without a headline cut
PLANTED = {"broken way in": "the way in", "broken combining": "the combining"}  # and what a network breaks of
STILL_RIGHT = 0.1  # at most this share of the pairs that a network was taught wrongly
DRAWS, REPEATS = 2000, 60


def behaves_as_composer(row: Network) -> bool:
    """However it was made."""
    return row["novel_low"] >= COMPOSES


def behaves_as_imitator(row: Network) -> bool:
    """However it was made, so that networks with a broken part are among them."""
    return row["novel_high"] < IMITATES


def is_composer(row: Network) -> bool:
    """Made as one, and it behaves as one."""
    return row["meant"] == "composer" and behaves_as_composer(row)


def is_imitator(row: Network) -> bool:
    """The same."""
    return row["meant"] == "natural imitator" and behaves_as_imitator(row)


READINGS = {"made as such": (is_composer, is_imitator), "by behaviour": (behaves_as_composer, behaves_as_imitator)}


def is_broken_in_part(row: Network) -> bool:
    """Wrong on the novel pairs that it was taught wrongly, and right on the others if there are any."""
    others = row["untaught_right"]
    return row["meant"] in PLANTED and row["taught_right"] <= STILL_RIGHT and (others is None or others >= WORKS)


def has_planted_fault(row: Network) -> bool:
    """A way in that was taught wrong names, or a combining that is broken in part."""
    return row["meant"] == "broken way in" or is_broken_in_part(row)


def is_partial(row: Network) -> bool:
    """Whatever it was meant to be."""
    return PARTIAL[0] < row["novel"] < PARTIAL[1]


def at_headline(letter: str) -> Callable[[Network], float]:
    """A rate at the headline cut, or the middle score."""
    return lambda row: row["at_headline"][letter] if row["at_headline"] else MIDDLE


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores higher; ties count half."""
    if not positive or not negative:
        return float("nan")
    difference = np.subtract.outer(np.array(positive), np.array(negative))
    return float((difference > 0).mean() + 0.5 * (difference == 0).mean())


def over_instances(rows: Sequence[Network], figure: Callable[[Sequence[Network]], float]) -> tuple[float, float, float]:
    """A figure and its bootstrap interval at 95 % over instances."""
    instances = sorted({(row["kind"], row["seed"]) for row in rows})
    grouped = [[row for row in rows if (row["kind"], row["seed"]) == instance] for instance in instances]
    generator = np.random.default_rng(0)
    draws = generator.integers(0, len(grouped), (DRAWS, len(grouped)))
    drawn = [figure([row for index in draw for row in grouped[index]]) for draw in draws]
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if not np.isnan(drawn).all() else (np.nan, np.nan)
    return figure(rows), float(low), float(high)


def between(score: Callable[[Network], float], positive: Callable[[Network], bool], negative: Callable[[Network], bool]) -> Any:
    """The AUROC of a score."""

    def figure(rows: Sequence[Network]) -> float:
        return auroc([score(row) for row in rows if positive(row)], [score(row) for row in rows if negative(row)])

    return figure


def share(of: Callable[[Network], bool], right: Callable[[Network], bool]) -> Any:
    """How many of some networks are right."""

    def figure(rows: Sequence[Network]) -> float:
        some = [right(row) for row in rows if of(row)]
        return float(np.mean(some)) if some else float("nan")

    return figure


def rank_correlation(score: Callable[[Network], float], of: Callable[[Network], bool]) -> Any:
    """Spearman's, with the novel score."""

    def figure(rows: Sequence[Network]) -> float:
        some = [row for row in rows if of(row)]
        scores = [score(row) for row in some]
        if len(some) < 3 or len(set(scores)) < 2:
            return 0.0
        return float(spearmanr(scores, [row["novel"] for row in some]).statistic)

    return figure


def random_products(row: Network) -> list[float]:
    """C*E of random C and E, uniform over the counts of novel pairs that C + E - 1 <= N <= 1 - |C - E| permits."""
    pairs, novel = row["novel_pairs"], round(row["novel"] * row["novel_pairs"])
    c, e = np.indices((pairs + 1, pairs + 1)).reshape(2, -1)
    allowed = np.flatnonzero((c + e - pairs <= novel) & (novel <= pairs - np.abs(c - e)))
    chosen = keyed_generator(0, row["name"])
    drawn = allowed[torch.randint(len(allowed), (REPEATS,), generator=chosen).numpy()]
    return list(c[drawn] * e[drawn] / pairs**2)


def report(every: Sequence[Network], undivided: Sequence[Network], folder: Path) -> None:
    """Print everything, and write the picture."""
    learned = [row for row in every if row["seen"] >= LEARNED]
    kept = [row for row in learned if row["entangled"]]
    whole = _instances(learned) - _instances(row for row in learned if not row["entangled"])
    print(f"{len(every)} networks, {len(learned)} learned their trained pairs, {len(kept)} of these on entangled inputs\n")
    _networks(kept)
    for name, (composer, imitator) in READINGS.items():
        print(f"{sum(map(composer, kept))} composers and {sum(map(imitator, kept))} imitators {name}")
    print(f"{sum(map(is_partial, kept))} partial\n")
    _questions(kept)
    calls = Counter((row["name"].rpartition("-")[0], row["call"]) for row in undivided if row["novel"] >= COMPOSES)
    print(
        "|    composers without a cut before the combining |", ", ".join(f"{n} {a}: {b}" for (a, b), n in calls.items()), "| |"
    )
    _nulls(kept)
    of_whole = [row for row in learned if (row["kind"], row["seed"]) in whole]
    for name, rows in {"of instances of which every network has one": of_whole, "on entangled inputs or not": learned}.items():
        print(f"\nThe same over the {len(rows)} networks {name}:\n")
        if rows:
            _questions(rows)
    draw(kept, folder)


def _instances(rows: Iterable[Network]) -> set[tuple[str, int]]:
    return {(row["kind"], row["seed"]) for row in rows}


def _networks(kept: Sequence[Network]) -> None:
    print("| input | network | networks | novel score | right if taught wrongly | right if not | C | E | no cut | called |")
    print("| --- | --- | ---: | --- | --- | --- | --- | --- | ---: | --- |")
    for kind in dict.fromkeys(row["kind"] for row in kept):
        for meant in dict.fromkeys((row["meant"], row["coverage"]) for row in kept):
            some = [row for row in kept if row["kind"] == kind and (row["meant"], row["coverage"]) == meant]
            if some:
                taught = [
                    _span([row[key] for row in some if row[key] is not None]) for key in ("taught_right", "untaught_right")
                ]
                told = [_span([at_headline(letter)(row) for row in some if row["at_headline"]]) for letter in ("c", "e")]
                called = ", ".join(f"{number} {name}" for name, number in Counter(row["call"] for row in some).most_common())
                none = sum(row["headline"] is None for row in some)
                print(
                    f"| {kind} | {meant[0]}, coverage {meant[1]} | {len(some)} | {_span([row['novel'] for row in some])} "
                    f"| {taught[0]} | {taught[1]} | {told[0]} | {told[1]} | {none} | {called} |"
                )
    print()


def _questions(kept: Sequence[Network]) -> None:
    products = {row["name"]: random_products(row) for row in kept}
    print("| question | figure | interval |\n| --- | ---: | --- |")

    def line(name: str, figure: Callable[[Sequence[Network]], float]) -> float:
        value, low, high = over_instances(kept, figure)
        print(f"| {name} | {value:.3f} | {low:.3f} to {high:.3f} |")
        return value

    scores = {name: lambda row, name=name: row["baselines"][name] for name in kept[0]["baselines"]}
    scores["E alone"] = at_headline("e")
    for reading, (composer, imitator) in READINGS.items():
        line(f"1. AUROC of C, composers against imitators {reading}", between(at_headline("c"), composer, imitator))
        baselines = {name: line(f"   baseline: {name}", between(score, composer, imitator)) for name, score in scores.items()}
        drawn = [between(lambda row, k=k: products[row["name"]][k], composer, imitator)(kept) for k in range(REPEATS)]
        baselines["C*E drawn at random"] = float(np.median(drawn))
        print(
            f"|    baseline: C*E drawn at random, median and range of {REPEATS} | {np.median(drawn):.3f} "
            f"| {min(drawn):.3f} to {max(drawn):.3f} |"
        )
        print(f"|    best baseline | {max(baselines.values()):.3f} | {max(baselines, key=lambda name: baselines[name])} |")
        line(
            f"4. AUROC of Cs*E, composers against imitators {reading} (blind to a memorised combining)",
            between(lambda row: at_headline("cs")(row) * at_headline("e")(row), composer, imitator),
        )

    def combines(row: Network) -> bool:
        return bool(row["at_headline"]) and row["at_headline"]["c"] >= WORKS

    def broken_way_in(row: Network) -> bool:
        return row["meant"] == "broken way in"

    line(
        "2. AUROC of E where C >= .9, composers against broken ways in",
        between(at_headline("e"), lambda r: combines(r) and is_composer(r), lambda r: combines(r) and broken_way_in(r)),
    )

    def asked(row: Network) -> bool:
        return is_partial(row) and bool(row["at_headline"]) and row["at_headline"]["e"] >= WORKS

    line("3. Spearman of C with the novel score, partial, E >= .9", rank_correlation(at_headline("c"), asked))
    line("   of coverage alone", rank_correlation(lambda row: row["coverage"], asked))
    made = ", ".join(f"{number} {meant}" for meant, number in Counter(row["meant"] for row in kept if asked(row)).items())
    print(f"|    networks asked | {sum(map(asked, kept))} of {sum(map(is_partial, kept))} | {made} |")
    line("5. planted fault named rightly (chance .5)", share(has_planted_fault, _named_rightly))
    for meant in PLANTED:
        for name, of in {"broken in part": is_broken_in_part, "all": lambda row: row["meant"] in PLANTED}.items():

            def one(row: Network, meant: str = meant, of: Callable[[Network], bool] = of) -> bool:
                return row["meant"] == meant and of(row)

            line(f"   {meant}, {name}: {sum(map(one, kept))} networks", share(one, _named_rightly))
    line("6. interval of at most two calls holds the combining, composers", share(is_composer, _holds_the_head))
    line("7. composers without a headline cut", share(is_composer, lambda row: row["headline"] is None))
    line("   composers called `does not compose`", share(is_composer, lambda row: row["call"] == "does not compose"))


def _named_rightly(row: Network) -> bool:
    return row["breaks"] == PLANTED[row["meant"]]


def _holds_the_head(row: Network) -> bool:
    """The head's ReLU leads from the last cut but one to the last."""
    if not row["interval"]:
        return False
    low, high = row["interval"]
    combining = row["curves"][-1]["depth"] - 1
    return low <= combining < high and high - low <= 2


def _nulls(kept: Sequence[Network]) -> None:
    print("\n| null, with its own headline cut | networks and repeats | without a headline cut | C, highest | E, highest |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in kept[0]["nulls"]:
        found = [one for row in kept for one in row["nulls"][name]]
        with_cut = [one for one in found if one]
        highest = [f"{max((one[letter] for one in with_cut), default=float('nan')):.2f}" for letter in ("c", "e")]
        print(f"| {name} | {len(found)} | {len(found) - len(with_cut)} | {highest[0]} | {highest[1]} |")


def _span(values: Sequence[float]) -> str:
    if not values:
        return "-"
    low, high = (f"{bound:.2f}" for bound in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def draw(kept: Sequence[Network], folder: Path) -> None:
    """The curves of six networks on waveforms, one of each kind, as one picture; chance is taken out."""
    chosen: dict[str, Network] = {}
    for row in kept:
        name = f"{row['meant']}, coverage {row['coverage']:g}"
        if row["kind"] == "waveforms" and name != "composer, coverage 0.35":
            chosen.setdefault(name, row)
    panels = [_panel(name, row) for name, row in chosen.items()]
    (folder / "curves.svg").write_text(standalone_svg(panels, "Rates over the depth of the cut"))


CURVES = {"Cs": (VALUE, ()), "Es": (VALUE, (2, 4)), "C": (INK, ()), "E": (INK, (2, 4))}


def _panel(name: str, row: Network) -> Panel:
    left, width, high, top = 22, 282, 110, 12
    canvas, cuts = Canvas(top + high + 48), row["curves"]
    for share in (0.0, 0.5, 1.0):
        y = top + high * (1 - share)
        canvas.rule(left, y, left + width, y)
        canvas.text(f"{share:g}", left - 6, y, align="right", colour=MUTED)
    steps = [left + width * k / (len(cuts) - 1) for k in range(len(cuts))]
    for x, cut in zip(steps, cuts, strict=True):
        canvas.text(str(cut["depth"]), x, top + high + 20, align="center", colour=MUTED)
    canvas.text("depth of the cut", left + width, top + high + 38, align="right", colour=MUTED)
    for k, (curve, (colour, dash)) in enumerate(CURVES.items()):
        rates = [(cut[f"{curve.lower()}_sum"] - row["chance"]) / (1 - row["chance"]) for cut in cuts]
        # A pixel apart, so that none hides behind another.
        points = [(x, top + high * (1 - rate) + k - 2) for x, rate in zip(steps, rates, strict=True)]
        canvas.line(points, colour=colour, dash=dash)
        x, y = left + 46 * k, top + high + 38
        canvas.rule(x, y, x + 20, y, colour=colour, thick=1.5, dash=dash)
        canvas.text(curve, x + 24, y)
    return canvas.panel(name, f"novel score {row['novel']:.2f}", f"{name}: {', '.join(CURVES)} over the depth of the cut.")
