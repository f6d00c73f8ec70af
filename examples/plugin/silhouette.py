"""A whole instrument: do hidden states cluster by the value of a part? docs/new-instrument.md walks through it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from assay.conformance import check_instrument
from assay.evidence import UNTRAINED, Measure
from assay.instrument import Budget, Instrument, Metric, NotEnough, Notes, OtherData, Random, Reading, Readings, Values
from assay.stats import MIN_UNITS, cluster_means
from assay.subject import Subject
from assay.task import Examples, Task

PERMUTED = "permuted labels"
METRIC = Metric(key="silhouette", title="silhouette", level=0, headline=True, bounds=(-1.0, 1.0), beats=(UNTRAINED, PERMUTED))


@dataclass(frozen=True, kw_only=True)
class Sizes(Budget):
    examples: int
    permutations: int


@dataclass(frozen=True)
class Drawn:
    examples: Examples
    site: str
    parts: Mapping[str, torch.Tensor]  # the value of every part, row by row
    permutations: int


class Silhouette(Instrument[Drawn]):
    """Silhouette coefficient (Rousseeuw 1987) of the last hidden states, grouped by the value of each part."""

    name = "silhouette"
    question = "Do hidden states cluster by the value of a part?"
    cites = ("rousseeuw1987",)
    metrics = (METRIC,)
    budgets = {  # noqa: RUF012
        "quick": Sizes(examples=500, permutations=39),
        "standard": Sizes(examples=2_000, permutations=99),
        "full": Sizes(examples=5_000, permutations=199, copies=20),
    }

    def data(self, subject: Subject, task: Task, budget: Sizes, rng: Random) -> Drawn:
        examples = task.examples("seen", budget.examples, generator=rng("examples")).in_canonical_order()
        if len(examples.combination.unique()) < MIN_UNITS:
            raise NotEnough(f"fewer than {MIN_UNITS} trained combinations")
        site = subject.sites(examples.inputs)[-2].name
        return Drawn(examples, site, {name: examples.parts[name] for name in task.combines}, budget.permutations)

    def read(self, network: Subject, data: Drawn, rng: Random) -> Reading:
        from sklearn.metrics import silhouette_samples

        states = network.read(data.examples.inputs, [data.site])[data.site].flatten(1).numpy()
        values = []
        for part, labels in data.parts.items():
            each = torch.from_numpy(silhouette_samples(states, labels.numpy())).float()
            units = cluster_means(each, data.examples.combination).means
            values.append(Values(metric=METRIC.key, about={"part": part}, units=units, note=f"at {data.site}"))
        return Reading(values)

    def controls(self, data: Drawn, rng: Random) -> Mapping[str, OtherData]:
        orders = [torch.randperm(len(data.examples), generator=rng(k)) for k in range(data.permutations)]
        dealt = [replace(data, parts={part: v[order] for part, v in data.parts.items()}) for order in orders]
        return {PERMUTED: OtherData("the values of parts dealt to other examples", dealt)}

    def explain(self, data: Drawn, readings: Readings, measures: Sequence[Measure]) -> Notes:
        told = ", ".join(f"{measure.about['part']} {measure.value:.2f}" for measure in measures if measure.value is not None)
        return Notes(f"Silhouette of hidden states by part: {told or 'not enough data'}.", not_tested=["All sites but one."])


if __name__ == "__main__":
    check_instrument(Silhouette())
