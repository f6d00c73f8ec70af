"""Controls of a mask: other ablations, random masks, masks for random labels, other contexts, and a rotated basis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from torch import Generator, nn

from assay.figure import DetailTable
from assay.instrument import Random
from assay.instruments.subnetworks.path import PathPoint, SparsityPath, fit_path
from assay.instruments.subnetworks.problems import Effect, MaskedModel
from assay.masks import REMOVALS, Mask, expected_overlap, masked, overlap, rotated, run_with_mean_outputs, without

FRESH = 5  # draws of the weights that replace the removed ones
AT_RANDOM = "as many random weights of every layer, to zero"


@dataclass(frozen=True)
class PartReading:
    """Paths and controls of one part of one network.

    **Attributes:**

    - `paths`: of the network, one for every seed of the search; `rotated`: of a twin in a rotated basis, where there is one.
    - `nonsense`: necessity of masks for hashed labels on the same network, as if they were this part's: of every path the mask
      with the highest validation score, whatever it solves.
    - `ablations`: accuracies with the mask's weights replaced in each way, and with random masks of its size removed
      (`AT_RANDOM`), for every draw.

    Where no mask isolates the part, all but `paths` are empty.
    """

    part: str
    paths: tuple[SparsityPath, ...]
    rotated: tuple[SparsityPath, ...] = ()
    nonsense: tuple[float, ...] = ()
    ablations: Mapping[str, Sequence[Effect]] = field(default_factory=dict)

    @property
    def chosen(self) -> list[PathPoint]:
        """The chosen mask under every seed that finds one."""
        return [path.chosen for path in self.paths if path.chosen is not None]


def controlled(
    model: MaskedModel, found: PartReading, *, nonsense: Sequence[SparsityPath], others: Sequence[nn.Module], rng: Random
) -> PartReading:
    """An isolated part with the controls of its mask.

    **Arguments:** `nonsense`: judged as if of the first part, and so with the opposite sign for the second; `others`: networks
    whose weights replace the mask's.
    """
    part, mask, sign = found.part, found.chosen[0].mask, 1 if found.part == model.problems.parts[0] else -1
    twin = rotated(model.module, model.problems.both.inputs, rng("rotation"))
    best = [max(path.points, key=lambda point: sign * point.validation) for path in nonsense]
    ways = ablations(model, part, mask, others=others, generator=rng("ablations"))
    return replace(
        found,
        rotated=() if twin is None else (fit_path(replace(model, module=twin), part, generator=rng("rotated path")),),
        nonsense=tuple(sign * point.without.necessity for point in best),
        ablations={**ways, AT_RANDOM: random_ablations(model, part, mask, generator=rng("random masks"))},
    )


def ablations(
    model: MaskedModel, part: str, mask: Mask, *, others: Sequence[nn.Module], generator: Generator
) -> dict[str, list[Effect]]:
    """Accuracies on both parts' problems when this part is ablated in every way, for every draw of the replacing weights."""
    problems, found = model.problems, {}
    for how in REMOVALS:
        if how == "mean" and mask.kind == "neuron":
            both, size = (problems.testing[part], problems.testing[problems.other(part)]), model.batch_size
            means = [
                run_with_mean_outputs(model.module, mask, one.inputs, problems.both.inputs, batch_size=size) for one in both
            ]
            found[how] = [Effect(*map(model.score_outputs, means, both))]
        else:
            left = without(model.module, mask, how=how, others=others, draws=FRESH, generator=generator)
            found[how] = [model.effect(weights, problems.testing, part) for weights in left]
    return found


def random_ablations(model: MaskedModel, part: str, mask: Mask, *, generator: Generator) -> list[Effect]:
    """Accuracies with as many random living weights of every layer removed, one per draw."""
    weights, problems = model.weights, model.problems
    chosen = (problems.units.matched(mask, weights, generator=generator) for _ in range(problems.budget.draws))
    return [model.effect(masked(weights, ~random), problems.testing, part) for random in chosen]


def control_tables(model: MaskedModel, found: Sequence[PartReading]) -> tuple[DetailTable, ...]:
    """Tables of ablations, of masks in other contexts, and of the overlap between masks."""
    ablated, weights, problems = [], model.weights, model.problems
    for one in found:
        for how, effects in one.ablations.items():
            own, other = (sum(side.raw for side in sides) / len(sides) for sides in zip(*effects, strict=True))
            ablated.append((one.part, how, len(effects), own, other, mean_necessity(effects)))
    masks = {one.part: one.chosen[0].mask for one in found if one.chosen}
    pairs = [(f"{one.part}, two seeds", a.mask, b.mask) for one in found for a, b in combinations(one.chosen, 2)]
    if len(masks) == 2:
        first, second = masks.values()
        pairs.append(("the two parts", first, second))
        masks |= {"both together": first | second, "all but both": ~(first | second)}
    contexts = {f"{part} decides, the other random": examples for part, examples in problems.reading.items()}
    contexts |= {f"{part} decides, the other obeyed": examples for part, examples in problems.testing.items()}
    contexts["both decide"] = problems.both
    alone = {name: masked(weights, mask) for name, mask in masks.items()}
    return (
        DetailTable(
            name="The part ablated",
            columns=("part", "replaced by", "draws", "own", "other", "difference"),
            rows=tuple(ablated),
            note="Accuracy on the part's own and on the other's problems. Difference: other minus own, neither below chance.",
            level=2,
        ),
        DetailTable(
            name="Masks alone, in other contexts",
            columns=("mask of", *contexts),
            rows=tuple((name, *(model.score(left, one).raw for one in contexts.values())) for name, left in alone.items()),
            note="Accuracy. One subnetwork that serves its part everywhere and nothing else solves what its part decides, half "
            "of what both decide, and nothing else. Both together solve what the network solves; without them nothing is left.",
            level=2,
        ),
        DetailTable(
            name="Overlap of masks",
            columns=("masks", "overlap", "expected by chance"),
            rows=tuple((name, overlap(a, b, weights), expected_overlap(a, b, weights)) for name, a, b in pairs),
            note="Intersection over union of the weights kept. By chance: of random masks with as many in every layer.",
            level=2,
        ),
    )


def mean_necessity(effects: Sequence[Effect]) -> float:
    """Mean necessity over draws."""
    return sum(effect.necessity for effect in effects) / len(effects)
