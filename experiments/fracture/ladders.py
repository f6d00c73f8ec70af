"""What the numbers of the instrument `fracture` can tell apart, and how often they say so of networks of which it is not true.

Run `python experiments/fracture/ladders.py` (about ten minutes of processor time; `--networks 5` for a look):

- *ladders*: shared against copied modules by coherence, separate against entangled heads by entanglement, at one function and
  one size; AUROC over networks, each of its own function.
- *levels*: how often the summary reads `unified-like` or `fractured-like`, with exact bounds, of the planted networks, of
  untrained ones, and of networks trained on a rule of its own in every context (which have no regularity to respect).
- *recipes*: 11 recipes of one task, trained to one function: the spread of coherence beside the planted difference.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from contexts import ANSWERS, CONTENT, Kind, Net, Sides, copied, entangled, separate, shared, untrained, value
from torch import Generator, Tensor, nn

from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.instruments.fracture.coherence import coherence, energies_over, participation
from assay.instruments.fracture.instrument import BUDGETS
from assay.regularity import Regular
from assay.responses import balanced, by_unit, read_layers
from assay.subject import Subject

QUICK = {"quick": replace(BUDGETS["quick"], examples=240, draws=1, scales=(0.01, 0.1))}
WORDS = ("unified-like", "fractured-like", "not resolved")
RECIPES = {
    "plain": {},
    "initial weights x 0.5": {"scale": 0.5},
    "initial weights x 0.7": {"scale": 0.7},
    "initial weights x 1.5": {"scale": 1.5},
    "initial weights x 2": {"scale": 2.0},
    "width 32": {"width": 32},
    "width 128": {"width": 128},
    "width 256": {"width": 256},
    "decay 0.01": {"decay": 0.01},
    "decay 0.1": {"decay": 0.1},
    "decay 0.3": {"decay": 0.3},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=30, help="of each kind")
    parser.add_argument("--seeds", type=int, default=2, help="of each recipe")
    parser.add_argument("--only", choices=["ladders", "levels", "recipes"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    difference = ladders(given.networks) if given.only != "levels" else 0.0
    if given.only in (None, "levels"):
        levels(given.networks)
    if given.only in (None, "recipes"):
        recipes(given.seeds, difference)


# Ladders


def ladders(num: int) -> float:
    """Prints AUROC of the three ladders, and returns the planted difference of coherence between contexts."""
    planted = 0.0
    kinds: Sequence[tuple[Kind, Callable, Callable, Callable]] = (
        ("contexts", shared, copied, coherence_of),
        ("mirror", shared, copied, coherence_of),
        ("heads", entangled, separate, entanglement_of),
    )
    for kind, high, low, measure in kinds:
        above, below, fresh = [], [], []
        for seed in range(num):
            task, draws = Sides(kind, seed=seed), Generator().manual_seed(seed)
            for make, found in ((high, above), (low, below), (untrained, fresh)):
                found.append(measure(make(task, draws), task))
        found = auroc(above, below)
        print(
            f"{kind}: {high.__name__} {told(above)}, {low.__name__} {told(below)}, untrained {told(fresh)}; "
            f"AUROC {found:.3f} over {num} and {num} networks"
        )
        if kind == "contexts":
            planted = statistics.fmean(above) - statistics.fmean(below)
    return planted


def told(values: Sequence[float], digits: int = 3) -> str:
    return f"{statistics.fmean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def auroc(above: Sequence[float], below: Sequence[float]) -> float:
    """The share of pairs in the expected order; ties count half."""
    wins = [(a > b) + 0.5 * (a == b) for a in above for b in below]
    return statistics.fmean(wins)


def _regular(task: Sides) -> Regular:
    return task.regular(240, generator=Generator().manual_seed(0))


def coherence_of(network: nn.Module, task: Sides) -> float:
    """In the balanced gauge."""
    regular = _regular(task)
    read = read_layers(Subject(network), regular.examples.inputs)
    return coherence([balanced(layer) for layer in read.layers], read.outputs, regular.regularities[0]).value


def entanglement_of(network: nn.Module, task: Sides) -> float:
    """Of the declared parts."""
    regular = _regular(task)
    read = read_layers(Subject(network), regular.examples.inputs)
    masks, groups = torch.stack(list(regular.parts.values())), torch.zeros(len(read.outputs), dtype=torch.int64)
    found = participation([energies_over(by_unit(layer), masks, groups)[0] for layer in read.layers])
    assert found is not None
    return found


# Levels


class OwnRules(Sides):
    """A rule of its own in every context: as smooth as the others, and without the regularity."""

    def __init__(self, *, seed: int):
        super().__init__("contexts", seed=seed)
        self.address = f"own-rules:{seed}"
        for side in range(1, self.sides):
            other = Sides("contexts", seed=1_000 * side + seed).rule
            rows = torch.arange(side, len(self.x), self.sides)
            content = torch.cat([torch.ones(len(rows), 1), self.x[rows, -CONTENT:]], 1)
            self.targets[rows] = self.values[rows] = value(other, content)


def levels(num: int) -> None:
    """Prints how often each level is read of planted, untrained and differently trained networks."""
    made: dict[str, Callable[[int], tuple[Sides, nn.Module]]] = {}
    for kind in ("contexts", "mirror"):
        for make in (shared, copied, untrained):
            made[f"{kind}, {make.__name__}"] = partial(_planted, kind, make)
    made["contexts, a rule of its own in each"] = _trained_on_own_rules
    made["contexts, trained on the one rule"] = _trained_on_the_rule
    for name, make in made.items():
        counts = dict.fromkeys(WORDS, 0)
        for seed in range(num):
            task, network = make(seed)
            subject = Subject(network, fresh=partial(untrained, task))
            summary = run(Fracture(budgets=QUICK), subject, task, effort="quick", seed=seed).summary
            counts[next(word for word in WORDS if word in summary)] += 1
        rates = ", ".join(f"{word} {count} ({bounds(count, num)})" for word, count in counts.items())
        print(f"{name}, of {num}: {rates}")


def _planted(kind: Kind, make: Callable, seed: int) -> tuple[Sides, nn.Module]:
    task = Sides(kind, seed=seed)
    return task, make(task, Generator().manual_seed(seed))


def _trained_on_own_rules(seed: int) -> tuple[Sides, nn.Module]:
    task = OwnRules(seed=seed)
    return task, trained(task, untrained(task, Generator().manual_seed(seed)), steps=1_500)[0]


def _trained_on_the_rule(seed: int) -> tuple[Sides, nn.Module]:
    task = Sides("contexts", seed=seed)
    return task, trained(task, untrained(task, Generator().manual_seed(seed)), steps=1_500)[0]


def bounds(count: int, num: int) -> str:
    """Clopper-Pearson, 95 %."""
    from scipy.stats import binomtest

    found = binomtest(count, num).proportion_ci(method="exact")
    return f"{found.low:.2f} to {found.high:.2f}"


# Recipes


def recipes(num: int, difference: float) -> None:
    """Prints coherence of networks trained by each recipe, and the spread beside the planted difference."""
    task = Sides("contexts", items=120)
    means, errors = {}, {}
    for name, recipe in RECIPES.items():
        found = []
        for seed in range(num):
            network, error = trained(task, recipe_network(task, seed, recipe), decay=recipe.get("decay", 0.0), steps=1_500)
            found.append(coherence_of(network, task))
            errors[name] = max(error, errors.get(name, 0.0))
        means[name] = statistics.fmean(found)
        print(f"{name}: coherence {told(found)}, error {errors[name]:.1e} of the variance")
    spread = max(means.values()) - min(means.values())
    print(
        f"spread over {len(means)} recipes {spread:.3f}, standard deviation {statistics.stdev(means.values()):.3f}; planted "
        f"difference {difference:.3f}: {spread / difference:.2f} of it"
    )


def recipe_network(task: Sides, seed: int, recipe: dict[str, float]) -> Net:
    """The network that a recipe starts from."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        width = int(recipe.get("width", 64))
        network = Net(task.x.shape[1], width, width, ANSWERS)
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 2:
                weight.mul_(recipe.get("scale", 1.0))
    return network


def trained(task: Sides, network: nn.Module, *, steps: int, decay: float = 0.0) -> tuple[nn.Module, float]:
    """The network after so many full-batch steps of AdamW, and its squared error as a share of the variance."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=decay)
    loss = torch.tensor(math.inf)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        loss = (network(task.x) - task.targets).square().sum(1).mean()
        loss.backward()
        optimizer.step()
    return network.eval(), float(loss.detach()) / float(_variance(task.targets))


def _variance(values: Tensor) -> Tensor:
    return (values - values.mean(0)).square().sum(1).mean()


if __name__ == "__main__":
    main()
