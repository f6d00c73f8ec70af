"""The metrics of `binding`, and its budget at each effort."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from assay.evidence import Effort, RawValues
from assay.instrument import Budget, Control, Metric, Values
from assay.instruments.binding.scores import Composite, NormalisedScore

SEGREGATION = Metric(key="segregation", title="segregation", unit="0 best null, 1 ceiling", level=0, of="scene", headline=True)
FG_ARI = Metric(
    key="fg_ari", title="FG-ARI", unit="adjusted Rand index of objects' pixels", level=0, of="scene", bounds=(-1.0, 1.0)
)
IOU = Metric(key="matched_iou", title="matched IoU", unit="intersection over union", level=0, of="scene", bounds=(0.0, 1.0))
SEPARATION = Metric(key="separation", title="separation", unit="0 best null, 1 ceiling", level=0, of="context", headline=True)
REUSE = Metric(key="novel_reuse", title="reuse for pairs never bound", unit=SEPARATION.unit, level=2, of="pair", headline=True)
COMPOSITE = Metric(key="novel_binding", title="lowest score", unit=SEPARATION.unit, level=2, of="context", headline=True)
ACCURACY = Metric(key="accuracy", title="accuracy on trained pairs", unit="accuracy", level=0, of="context", bounds=(0.0, 1.0))
NOVEL = Metric(
    key="novel_accuracy", title="accuracy on pairs never bound", unit="accuracy", level=2, of="pair", bounds=(0.0, 1.0)
)
ISOLATION = Metric(key="isolation", title="isolation", unit="1 - leakage", level=0, of="context")
FORMAT = Metric(
    key="common_format", title="common format", unit="accuracy of other objects' read-outs", level=0, of="scene",
    bounds=(0.0, 1.0),
)  # fmt: skip
ILLUSORY = Metric(
    key="illusory_conjunctions", title="errors that name another's attribute", unit="share of errors", level=0,
    better="lower", of="context", bounds=(0.0, 1.0),
)  # fmt: skip
TRANSPLANT = Metric(
    key="transplant", title="transplanted pairs that are answered", unit="share", level=0, of="context", bounds=(0.0, 1.0)
)
SAME_OBJECT = Metric(key="same_object", title="IsSameObject", unit="accuracy", level=0, of="scene", bounds=(0.0, 1.0))
ABLATION = Metric(
    key="same_object_ablation", title="IsSameObject, ablated", unit="squared change of outputs, of their variance", level=0,
    of="scene", beats=("random directions",),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class BindingBudget(Budget):
    """`contexts`: number of contexts for each size and kind of pairs; `sites`: largest number of sites that are patched."""

    contexts: int
    sites: int = 6


BUDGETS: Mapping[Effort, BindingBudget] = {
    "quick": BindingBudget(contexts=200, sites=4),
    "standard": BindingBudget(contexts=500),
    "full": BindingBudget(contexts=2_000, sites=40, copies=19),
}


def raw_of(score: NormalisedScore, of: str, ids: Int[Tensor, " u"] | None = None) -> RawValues:
    """The values that a score is computed from."""
    return RawValues(of=of, values=tuple(score.observed.tolist()), ids=() if ids is None else tuple(ids.tolist()))


def values_of(
    metric: Metric, score: NormalisedScore, how: Mapping[str, str], *, raw: RawValues, about: Mapping[str, str] | None = None
) -> Values:
    """The values of a score, with its nulls. `how`: by name of the null, how it was made; `raw`: the values that the score is
    computed from; `about`: keys of the measure."""
    about = about or {}
    if score.value is None:
        return Values(metric=metric.key, units=torch.zeros(0), about=about, reason=score.reason)
    controls = tuple(
        Control(name=name, how=how[name], values=torch.tensor([value]), p=score.ps[name]) for name, value in score.nulls.items()
    )
    return Values(
        metric=metric.key, units=score.units, about=about, value=score.value, interval=score.interval,
        variance=score.variance, controls=controls, ceiling=1.0, raw=raw,
        note=f"0 is the value of the best null ({score.best})",
    )  # fmt: skip


def values_of_lowest(found: Composite | None, units: Tensor, raw: Mapping[str, RawValues]) -> Values:
    """The values of the minimum of the scores. `raw`: by score, the values that it is computed from."""
    if found is None:
        return Values(metric=COMPOSITE.key, units=torch.zeros(0), reason="one of the scores has no value")
    return Values(
        metric=COMPOSITE.key, units=units, value=found.value, interval=found.interval, variance=found.variance,
        ceiling=1.0, note=f"the lowest score is {found.which}", raw=raw[found.which],
    )  # fmt: skip
