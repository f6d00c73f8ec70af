"""Counts of missing values and truncated outputs in a file of answers."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from assay.computation.analysis import own_steps
from assay.computation.domain import MISSING
from assay.computation.labels import labelled
from assay.computation.predictions import Predicted
from assay.instrument import NotEnough


def missing_values(sides: Mapping[str, Predicted]) -> tuple[str, ...]:
    """Warnings about missing values.

    **Arguments:** `sides`: the answers to trained and to novel inputs, by the names used in the warnings.

    **Raises:** `NotEnough` where no value could be read of any answer.
    """
    answers = sum(len(one.truncated) for one in sides.values())
    if answers and all(_none_read(one) for one in sides.values()):
        form = "`text` has a line `name = value` for each node, `nodes` an object of names and values"
        raise NotEnough(f"no value could be read of any of the {answers:,} answers: {form}")
    found = [_of_side(name, one) for name, one in sides.items()]
    ends = sum(int(one.unfinished.sum()) for one in sides.values())
    if ends:
        found.append(f"{ends:,} outputs hold values, but none that could be read of their last node.")
    cut = sum(int(one.truncated.sum()) for one in sides.values())
    if cut:
        whole = sum(int((one.truncated & ~_with_missing(one)).sum()) for one in sides.values())
        found.append(f"{cut:,} outputs are marked as truncated in the file; {whole:,} of them hold all values.")
    return tuple(one for one in found if one)


def _of_side(name: str, one: Predicted) -> str:
    inner = ~one.computations.is_source
    missing = inner & (one.values == MISSING)
    if not missing.any():
        return ""
    if _none_read(one):
        return f"No value could be read of any of the {len(one.truncated):,} answers to {name} inputs."
    wrong = missing & own_steps(one.computations, labelled(one.computations, one.values), one.values)
    return (
        f"{missing.sum() / inner.sum():.1%} of the values are missing in the answers to {name} inputs ({missing.sum():,} of "
        f"{inner.sum():,}). Those whose ancestors are right, {wrong.sum():,}, count as wrong."
    )


def _none_read(one: Predicted) -> bool:
    return bool((one.values[~one.computations.is_source] == MISSING).all())


def _with_missing(one: Predicted) -> Bool[np.ndarray, " n"]:
    missing = one.computations.example[(one.values == MISSING) & ~one.computations.is_source]
    return np.bincount(missing, minlength=len(one.truncated)) > 0
