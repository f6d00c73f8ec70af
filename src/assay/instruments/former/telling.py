"""What the instrument says in words: why it refuses, what it found, what to know before believing it."""

from collections.abc import Sequence

import torch
from torch import Tensor

from assay.evidence import Measure
from assay.observed import Observed
from assay.stats import MIN_UNITS

CONTRADICTED = 0.01  # share of wrong answers from which on a declaration is not that of the task


def refused(observed: Observed) -> str:
    """Why nothing can be said, or nothing."""
    num = len(observed.examples.combination.unique())
    if num < 2 * MIN_UNITS:
        return f"{num} trained combinations, and effects fitted on some and tried on others need {2 * MIN_UNITS}"
    for name in observed.combines:
        values = observed.examples.parts[name]
        if len(values.unique()) < 2:
            return f"part {name} takes one value in all trained examples, so there is nothing to exchange"
        for other in observed.combines:
            if other != name and _determines(values, observed.examples.parts[other]):
                return f"part {name} determines part {other} in all trained examples, so that neither can be exchanged alone"
    wrong, checked = observed.contradicted
    if wrong > CONTRADICTED * checked:
        return (
            f"the declaration contradicts the trained examples: in {wrong / checked:.1%} of {checked} exchanges that lead to a "
            "trained example, the declared target is not the target of that example"
        )
    return "" if observed.exchanges else "no part can be exchanged: no two trained examples lead to an answer that is known"


def _determines(values: Tensor, other: Tensor) -> bool:
    """Whether each value goes with one value of the other alone."""
    pairs = torch.stack([values, other], 1).unique(dim=0)
    return len(pairs) == len(values.unique()) and len(other.unique()) > 1


def summary(measures: Sequence[Measure]) -> str:
    """One sentence."""
    told = [
        f"{measure.about['part']} {measure.value:.2f} (best null {max(null.mean for null in measure.nulls):.2f})"
        for measure in measures
        if measure.headline and measure.name.startswith("novel") and measure.value is not None
    ]
    if told:
        return f"Combinations made inside and never trained score, by the part exchanged: {', '.join(told)}."
    return "No combination that was never trained could be made inside."


def warnings(observed: Observed) -> tuple[str, ...]:
    """What to know first."""
    found = []
    if not observed.declared:
        found.append(
            "The task does not say what follows from an exchange, so only exchanges that lead to other trained examples were "
            "scored: weaker evidence, which a memoriser with aligned codes can pass."
        )
    if observed.assumed:
        found.append("Which combinations were trained is assumed from the examples given.")
    missing = [part.name for part in observed.parts if part.name not in observed.exchanges]
    if missing:
        found.append(f"No exchange changes the answer, or its answer is not known, for: {', '.join(missing)}.")
    return tuple(found)


def not_tested(total: int, read: int, *, no_twins: str) -> tuple[str, ...]:
    """What is not covered, with `read` sites of `total`; `no_twins`: why none was trained on shuffled labels, empty where there
    are some."""
    missing = ["Combinations that no single exchange between trained examples reaches."]
    if no_twins:
        missing.append(f"The null of shuffled labels was not run: {no_twins}.")
    if read < total:
        missing.append(f"{total - read} of {total} sites were left out by this effort.")
    return tuple(missing)
