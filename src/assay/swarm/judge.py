"""Verdict and evidence of a study: composed, selected, scaled or nothing.

- `nothing`: the selected candidates do no better than the same search among random experts, or on renamed answers.
- `selected`: better than these nulls, but not better than the best single expert; or only on items that single experts answer.
- `scaled`: better than the best single expert, but not better than one expert whose change is rescaled; or only one expert is
  necessary.
- `composed`: better than all of these; at least two experts are necessary, and items are answered that no single expert
  answers.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from torch import Tensor

from assay.display import plural
from assay.evidence import Evidence, Measure, Null
from assay.references import cited
from assay.stats import MIN_UNITS, false_discovery, fitted_p, gain_over, gain_over_networks, network_interval
from assay.swarm.clustered import Clusterings
from assay.swarm.figures import coefficients_of, curve_of, table_of
from assay.swarm.study import Study

Word = Literal["composed", "selected", "scaled", "nothing"]
FOUND = 0.01  # level of the nulls
BETTER = 0.05  # level of each comparison
MATERIAL = 0.05  # the least difference in score that counts
SOLVED = 0.5  # the score from which an item counts as answered


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdict of a study.

    **Attributes:** `word`; `reason`: one sentence; `necessary`: experts without which the selected candidates do worse.
    """

    word: Word
    reason: str
    necessary: tuple[str, ...]
    evidence: Evidence


def judged(study: Study) -> Judged:
    """The verdict, with the measures behind it.

    Example::

        >>> from assay.swarm.judge import judged
        >>> from assay.swarm.study import StudyPlan, study
        >>> from assay.swarm.worlds import WorldSize, make_world
        >>> size = WorldSize(modulus=5, old=3, experts=2, base_steps=5, expert_steps=5, validation=30)
        >>> plan = StudyPlan(engines=("random",), budget=6, seeds=3, nulls=5, beyond=0)
        >>> found = judged(study(make_world(seed=0, size=size), plan))
        >>> found.word, found.necessary
        ('nothing', ())
    """
    engine = study.plan.engines[0]
    own = study.tested["own", engine]
    units = Clusterings(study.shared)
    found = _found(study, own, units)
    best, scaled = study.merged["best expert"], study.merged["scaled expert"]
    over_best, over_scaled = (
        _over("gain_over_best", "gain over the best single expert", own, best, units=units, what="best expert"),
        _over("gain_over_scaled", "gain over one expert at its best size", own, scaled, units=units, what="scaled expert"),
    )
    necessity = _necessity(study, own, units)
    necessary = tuple(m.about["expert"] for m in necessity if m.value is not None and m.value >= MATERIAL and _below(m, BETTER))
    emergence = _emergence(study, own, units)
    word, reason = _word(found, over_best, over_scaled, necessary, emergence)
    measures = (found, over_best, over_scaled, emergence, *necessity, _union(study, units), *_gaps(study), *_forgetting(study))
    warnings = [f"The score raised on {one}; it counts as the worst." for one in study.failed[:10]]
    if (outside := _outside(study)) > 0:
        warnings.append(
            f"{outside} of {study.plan.seeds} selected candidates lie outside the convex hull of the experts: they have a "
            "negative coefficient, or a sum that is not 1."
        )
    evidence = Evidence(
        instrument="swarm",
        question="Does a search in the span of the experts compose them?",
        summary=f"{word.capitalize()}: {reason}",
        measures=measures,
        figures=(curve_of(study), table_of(study), coefficients_of(study)),
        sources=cited(["feng2024", "hansen2001", "wortsman2022", "yadav2023", "yu2024dare"]),
        warnings=tuple(warnings),
        not_tested=("Whether the selected candidate composes internally, which needs an audit.",),
        settings={
            "engine": engine, "budget": study.plan.budget, "seeds": study.plan.seeds, "nulls": study.plan.nulls,
            "validation items": study.num_validation, "evaluated by": study.way, "seed": study.plan.seed,
        },
    )  # fmt: skip
    return Judged(word=word, reason=reason, necessary=necessary, evidence=evidence)


def _word(
    found: Measure, over_best: Measure, over_scaled: Measure, necessary: tuple[str, ...], emergence: Measure
) -> tuple[Word, str]:
    gain = (found.value or 0.0) - max(null.mean for null in found.nulls)
    if not (_below(found, FOUND) and gain >= MATERIAL):
        nulls = ", ".join(f"{null.name} {null.mean:.2f}" for null in found.nulls)
        return "nothing", (
            f"the selected candidates score {found.value:.2f} on test items; this is not clearly more than a search reaches "
            f"where there is nothing to find ({nulls}; p {found.p or 1:.2g}, {len(found.nulls[0].values)} searches each)."
        )
    if not _clears(over_best):
        return "selected", f"the score of {found.value:.2f} does not clearly exceed that of the best single expert."
    if not _clears(over_scaled) or len(necessary) < 2:
        why = "one expert at another size does as well" if not _clears(over_scaled) else f"only {len(necessary)} is necessary"
        return "scaled", f"the score of {found.value:.2f} beats the best single expert, but {why}."
    if emergence.value is None or not (_below(emergence, BETTER) and emergence.value >= MATERIAL):
        return "selected", "the gain is on items that single experts answer."
    return "composed", (
        f"the selected candidates score {found.value:.2f} on test items; {', '.join(necessary)} are each necessary, and "
        f"{100 * emergence.value:.0f} % of the items that no expert answers are answered."
    )


def _below(measure: Measure, level: float) -> bool:
    return measure.p is not None and measure.p <= level


def _clears(measure: Measure) -> bool:
    return _below(measure, BETTER) and (measure.value or 0.0) >= MATERIAL


def _measure(
    key: str, name: str, scores: Float64[np.ndarray, "s n"], nulls: tuple[Null, ...], *, units: Clusterings,
    bounds: tuple[float, float], unit: str, headline: bool = False, **about: str,
) -> Measure:  # fmt: skip
    """The mean over seeds and items, with an interval over seeds and independent units of items."""
    num, unit_of = units.fewest(scores)
    interval = units.interval(scores, bounds)
    assert interval is not None, "a utility has at least five independent test items"
    return Measure(
        key=key, name=name, value=float(scores.mean()), unit=unit, direction="higher", interval=interval,
        nulls=nulls, units=num, unit_of=unit_of, repeats=tuple(scores.mean(1).tolist()), bounds=bounds, about=about,
        headline=headline, level=2,
    )  # fmt: skip


def _null(name: str, how: str, units: Clusterings, own: Float64[np.ndarray, "s n"], other: Float64[np.ndarray, "r n"]) -> Null:
    """A null of equally many searches. Its p-value is that of the mean under the prediction interval of one more such
    search."""
    p = units.p(_p_of_one_more, own, other)
    return Null(name=name, how=how, values=tuple(other.mean(1).tolist()), p=p)


def _p_of_one_more(own: Tensor, other: Tensor) -> float | None:
    gain = gain_over_networks(own.mean(0), other)
    return gain.p if gain else None


NOISE = "the same search after every expert was replaced by a random change of the same norms"
RENAMED = "the same search and experts on a task whose answers are renamed at random, consistently over items"


def _found(study: Study, own: Float64[np.ndarray, "s n"], units: Clusterings) -> Measure:
    engine = study.plan.engines[0]
    nulls = (
        _null("noise experts", NOISE, units, own, study.tested["noise", engine]),
        _null("renamed answers", RENAMED, units, own, study.tested["renamed", engine]),
    )
    name = "score of the selected candidates"
    return _measure("selected_score", name, own, nulls, units=units, bounds=(0.0, 1.0), unit="score", headline=True)


def _over(
    key: str, name: str, own: Float64[np.ndarray, "s n"], other: Float64[np.ndarray, " n"], *, units: Clusterings, what: str
) -> Measure:
    p = units.p(fitted_p, own, other[None])
    null = Null(name="no difference", how=f"paired with the {what} on each item", values=(0.0,), p=p)
    return _measure(key, name, own - other, (null,), units=units, bounds=(-1.0, 1.0), unit="score")


def _necessity(study: Study, own: Float64[np.ndarray, "s n"], units: Clusterings) -> list[Measure]:
    """Necessity of each expert: the loss without it, corrected over experts."""
    drops = own[:, None] - study.ablated
    ps = [units.p(fitted_p, own, study.ablated[:, k]) or 1.0 for k in range(len(study.names))]
    return [
        _measure(
            "necessity",
            "loss without one expert",
            drops[:, k],
            (Null(name="no difference", how="paired with the whole candidate on each item", values=(0.0,), p=p),),
            units=units,
            bounds=(-1.0, 1.0),
            unit="score",
            expert=name,
        )
        for k, (name, p) in enumerate(zip(study.names, false_discovery(ps), strict=True))
    ]


def unanswered(study: Study) -> Bool[np.ndarray, " n"]:
    """Test items that neither the base nor any expert answers."""
    return (study.experts < SOLVED).all(0) & (study.base < SOLVED)


def _emergence(study: Study, own: Float64[np.ndarray, "s n"], units: Clusterings) -> Measure:
    """Emergence: the share of items without an answering expert that the selected candidates answer, minus the same share of
    the nulls."""
    engine, items, name = study.plan.engines[0], unanswered(study), "emergence beyond the null"
    units = units.of(items)
    if (few := units.fewest(own[:, items]))[0] < MIN_UNITS:
        return _too_few("emergence", name, *few)
    mine = (own[:, items] >= SOLVED).astype(np.float64)
    noise = (study.tested["noise", engine][:, items] >= SOLVED).astype(np.float64)
    renamed = []
    for scores, experts in zip(study.tested["renamed", engine], study.experts_renamed, strict=True):
        left = (experts < SOLVED).all(0)
        renamed.append(float((scores[left] >= SOLVED).mean()) if left.any() else 0.0)
    level = max(float(noise.mean()), float(np.mean(renamed)))
    p = gain_over(float(mine.mean()), units.variance(mine), renamed).p
    nulls = (
        _null("noise experts", NOISE, units, mine, noise),
        Null(name="renamed answers", how=RENAMED, values=tuple(renamed), p=p),
    )
    return _measure(
        "emergence", name, mine - level, nulls, units=units, bounds=(-1.0, 1.0), unit="share of items", headline=True
    )


def _union(study: Study, units: Clusterings) -> Measure:
    """The published emergence: the share of items without an answering expert that any candidate of the final generation
    answers."""
    items, name = unanswered(study), "published emergence, any of the swarm"
    units = units.of(items)
    if (few := units.fewest(study.union[:, items]))[0] < MIN_UNITS:
        return _too_few("union_emergence", name, *few)
    any_of = (study.union[:, items] >= SOLVED).astype(np.float64)
    guessers = 1 - (1 - study.chance) ** study.swarm
    how = (
        f"{study.swarm} guessers, as many as the final generation has candidates, each right by a chance of {study.chance:.3f}"
    )
    null = Null(name="guessers", how=how, values=(guessers,), counts=False)
    return _measure("union_emergence", name, any_of, (null,), units=units, bounds=(0.0, 1.0), unit="share of items")


def _too_few(key: str, name: str, num: int, unit_of: str) -> Measure:
    return Measure(
        key=key,
        name=name,
        value=None,
        unit="share of items",
        direction="higher",
        interval=None,
        nulls=(),
        units=num,
        unit_of=unit_of,
        level=2,
        note=f"fewer than {MIN_UNITS} {plural(unit_of)} that no expert answers",
    )


def optimism(score: float, candidates: float | int, items: int) -> float:
    """Expected excess of the best score over the true score when independent candidates of equal true score are compared on
    equally many items (Gaussian maximum).

    Candidates of a search resemble each other, so this is an upper bound.

    Example::

        assert 0.10 < optimism(0.5, 1000, 200) < 0.12
    """
    if candidates < 2:
        return 0.0
    from scipy.special import ndtri

    # Blom's approximation of the expected maximum of normal variables.
    largest = float(ndtri((candidates - 0.375) / (candidates + 0.25)))
    return largest * math.sqrt(max(score * (1 - score), 0.0) / items)


def _gaps(study: Study) -> list[Measure]:
    """Validation minus test score, beside the optimism of the choice."""
    found = []
    for engine, validated in study.validated.items():
        own = study.tested["own", engine]
        gaps = validated - own.mean(1)
        spent = float(np.mean([trace.spent for trace in study.traces["own", engine]]))
        expected = optimism(float(own.mean()), spent, study.num_validation)
        null = Null(
            name="independent candidates",
            how="the mean excess of the best of as many independent candidates of the test score, an upper bound",
            values=(expected,),
            counts=False,
        )
        found.append(_of_searches("validation_gap", "validation minus test score", gaps, null, engine=engine))
    return found


def _forgetting(study: Study) -> list[Measure]:
    """Forgetting: scores of the selected candidates on each kept set of items, minus those of the expert that is best on it."""
    found = []
    for name, (experts, own) in study.kept.items():
        lost = experts.max() - own
        null = Null(name="an expert", how="the expert that does best on these items loses nothing", values=(0.0,), counts=False)
        found.append(_of_searches("forgetting", "loss of a skill", lost, null, items=name))
    return found


def _of_searches(key: str, name: str, values: Float64[np.ndarray, " s"], null: Null, **about: str) -> Measure:
    """A mean over searches."""
    return Measure(
        key=key,
        name=name,
        value=float(values.mean()),
        unit="score",
        direction="lower",
        interval=network_interval(values.tolist(), bounds=(-1.0, 1.0)),
        nulls=(null,),
        units=len(values),
        unit_of="search",
        repeats=tuple(values.tolist()),
        bounds=(-1.0, 1.0),
        about=about,
        level=2,
    )


def _outside(study: Study) -> int:
    mine = [trace.best for trace in study.traces["own", study.plan.engines[0]]]
    return sum(bool((c < -1e-9).any() or abs(c.sum() - 1) > 1e-9) for c in mine)
