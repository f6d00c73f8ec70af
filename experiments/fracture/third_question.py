"""How often the verdict's third answer is right, by `fracture` at effort `quick`, on networks made as one thing or in copies.

Run `python experiments/fracture/third_question.py` (`--seeds 1` for a look). Networks of three contexts with one rule:

- *one thing*: trained on all contexts by 11 recipes (`sides.py`), planted (`contexts.py`), and the first in another basis:
  units permuted and rescaled, or each split in two.
- *copies*: a module trained for each context by the same recipes and joined, planted, and a network whose layers are all chosen
  by the context.
- *in part*: a network of which some layers are chosen by the context, or in which two contexts share what the third has by
  itself; and sums of a shared network and of copies. Neither answer is right; `one shared thing` is counted as wrong.
- *tables*: each example of each context is named by a code of its own, and nothing that it shares with others is given: a
  linear layer or an MLP on it, trained codes before a shared MLP, and modules for each context as blocks of one linear layer,
  trained for each, or three times the same. `one shared thing` is counted as wrong.
- *neither*: untrained networks, and networks trained on a rule of its own in each context.
- *beyond*: recipes with an initial scale of .2, 3 and 4, which no bound was fixed on.

Printed are the answers by kind with exact bounds, and the numbers on which they rest. The bounds of the verdict were fixed on
`--first 30` and the rates are counted on other seeds. With `--transfer` the networks *beyond*, and copies by the same recipes,
are trained on in one context alone: how much of the error of the others goes along?
"""

import argparse
import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sides
import torch
from contexts import ANSWERS, Net, Sides, copied, shared, untrained
from ladders import OwnRules, bounds, trained
from recipes import transfer
from sides import ITEMS, RATE, STEPS, Recipe, linear
from torch import Generator, Tensor, nn

from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.subject import Subject
from assay.task import Vector
from assay.verdict import judge

EACH, PAIR = ((0,), (1,), (2,)), ((0, 1), (2,))
IN_PART = {
    "the last layer for each context": ((3,), EACH),
    "the last two layers for each": ((2, 3), EACH),
    "the last three layers for each": ((1, 2, 3), EACH),
    "the first layer for each": ((0,), EACH),
    "the first two layers for each": ((0, 1), EACH),
    "a middle layer for each": ((1,), EACH),
    "a network for two contexts and one for the third": ((0, 1, 2, 3), PAIR),
    "the last layer for two contexts and for the third": ((3,), PAIR),
}
BEYOND = {f"initial weights x {scale:g}": Recipe(scale=scale) for scale in (0.2, 3.0, 4.0)}
COLUMNS = ("sharing", "contexts_least", "contexts_most", "contexts_entering")
ONE, COPIES, PART, NEITHER, FAR, TABLE = "one thing", "copies", "in part", "neither", "beyond: one thing", "table"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=40, help="seed")
    parser.add_argument("--transfer", action="store_true", help="of recipes beyond, instead of the answers")
    given = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(given.first, given.first + given.seeds)
    if given.transfer:
        for made_of in (sides.joint(seeds, BEYOND), sides.copies(seeds, BEYOND)):
            for name in BEYOND:
                found = [f"{transfer(one):.2f}" for one in made_of if one.recipe == name]
                print(f"{name}: {', '.join(found)} of the error of the other contexts goes along", flush=True)
        return
    answers: dict[str, list[str]] = {}
    by_name: dict[tuple[str, str], list[tuple[str, Evidence]]] = {}
    for one in made(seeds):
        evidence = run(Fracture(), Subject(one.network, fresh=one.fresh), one.task, effort="quick", seed=one.seed)
        answer = judge([evidence]).sharing.answer
        answers.setdefault(one.truth, []).append(answer)
        by_name.setdefault((one.truth, one.name), []).append((answer, evidence))
    for (truth, name), found in by_name.items():
        counts = ", ".join(f"{answer} {num}" for answer, num in Counter(answer for answer, _ in found).items())
        columns = [_spread([item for _, item in found], key) for key in COLUMNS]
        print(f"{truth}; {name}: {counts}; sharing {columns[0]}, contexts {columns[1]} to {columns[2]}, entering {columns[3]}")
    for truth, found in answers.items():
        told = ", ".join(f"{answer} {num} ({bounds(num, len(found))})" for answer, num in Counter(found).items())
        print(f"{truth}, of {len(found)}: {told}")
    wrong = [(ONE, "copies by context"), (COPIES, "one shared thing"), (PART, "one shared thing"), (TABLE, "one shared thing")]
    count = sum(answers[truth].count(answer) for truth, answer in wrong)
    count += sum(answer != "not resolved" for answer in answers[NEITHER])
    total = sum(len(found) for truth, found in answers.items() if truth != FAR)
    print(f"wrong: {count} of {total} ({bounds(count, total)})")


def _spread(found: Sequence[Evidence], key: str) -> str:
    values = [measure.value for item in found for measure in item.measures if measure.key == key and measure.value is not None]
    return f"{statistics.fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "-"


@dataclass(frozen=True)
class Planted:
    """A network, how it was made and what is therefore true of it."""

    truth: str
    name: str
    seed: int
    task: Sides
    network: nn.Module

    @property
    def fresh(self) -> Callable[[Generator], nn.Module]:
        return lambda generator: untrained(self.task, generator)


def made(seeds: Sequence[int]) -> list[Planted]:
    """All of them."""
    found = [Planted(ONE, one.recipe, one.seed, one.task, one.network) for one in sides.joint(seeds)]
    found += [Planted(COPIES, one.recipe, one.seed, one.task, one.network) for one in sides.copies(seeds)]
    found += [Planted(FAR, one.recipe, one.seed, one.task, one.network) for one in sides.joint(seeds, BEYOND)]
    for plain in [one for one in found if one.truth == ONE and one.name == "plain"]:
        draws = Generator().manual_seed(plain.seed)
        found += [
            Planted(ONE, "plain, permuted and rescaled", plain.seed, plain.task, relabelled(plain.network, draws)),
            Planted(ONE, "plain, each unit split in two", plain.seed, plain.task, split(plain.network)),
        ]
    for seed in seeds:
        for classes in (False, True):
            task, draws = Sides("contexts", items=ITEMS, seed=seed, classes=classes), Generator().manual_seed(seed)
            told = "planted, classes" if classes else "planted"
            found += [
                Planted(ONE, told, seed, task, shared(task, draws)),
                Planted(COPIES, told, seed, task, copied(task, draws)),
            ]
        task = Sides("contexts", items=ITEMS, seed=seed)
        one, many = by_context(task, (), EACH, seed), by_context(task, (0, 1, 2, 3), EACH, seed)
        found += [Planted(ONE, "trained alike", seed, task, one), Planted(COPIES, "all layers for each", seed, task, many)]
        for name, (own, groups) in IN_PART.items():
            found.append(Planted(PART, name, seed, task, by_context(task, own, groups, seed)))
        for share in (0.9, 0.5, 0.1):
            found.append(Planted(PART, f"{share:g} of a shared network, the rest copies", seed, task, Sum(one, many, share)))
        found += [Planted(TABLE, name, seed, of, network) for name, of, network in tables(task)]
        rules = OwnRules(seed=seed)
        own_rules = trained(rules, untrained(rules, Generator().manual_seed(seed)), steps=STEPS)[0]
        found += [
            Planted(NEITHER, "untrained", seed, task, untrained(task, Generator().manual_seed(seed))),
            Planted(NEITHER, "a rule of its own in each context", seed, rules, own_rules),
        ]
    return found


# Networks


class ByContext(nn.Module):
    """A network of four layers of which some are chosen by the context: `own` has their numbers, `groups` the contexts that
    have one in common."""

    def __init__(self, task: Sides, own: Sequence[int], groups: Sequence[Sequence[int]], width: int = 64):
        super().__init__()
        sizes = [task.x.shape[1], width, width, width, ANSWERS]
        self.sides, self.own, self.groups = task.sides, own, groups
        self.steps = nn.ModuleList(
            nn.ModuleList(nn.Linear(sizes[k], sizes[k + 1]) for _ in (groups if k in own else groups[:1])) for k in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        inside, codes = x, x[:, : self.sides]
        for depth, step in enumerate(self.steps):
            assert isinstance(step, nn.ModuleList)
            if depth in self.own:
                chosen = [codes[:, list(group)].sum(1, keepdim=True) for group in self.groups]
                inside = torch.stack([one * layer(inside) for one, layer in zip(chosen, step, strict=True)]).sum(0)
            else:
                inside = step[0](inside)
            inside = inside.relu() if depth < 3 else inside
        return inside


class Sum(nn.Module):
    """A share of one network's output and the rest of another's."""

    def __init__(self, one: nn.Module, other: nn.Module, share: float):
        super().__init__()
        self.one, self.other, self.share = one, other, share

    def forward(self, x: Tensor) -> Tensor:
        return self.share * self.one(x) + (1 - self.share) * self.other(x)


def by_context(task: Sides, own: Sequence[int], groups: Sequence[Sequence[int]], seed: int) -> nn.Module:
    """Trained on all contexts, full batch, along a cosine."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = ByContext(task, own, groups)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimizer.zero_grad()
        (network(task.x) - task.values).square().sum(1).mean().backward()
        optimizer.step()
    return network.eval()


class Codes(Sides):
    """The same answers, with a code for each example that shows neither content nor context: one of many, or random."""

    def __init__(self, *, seed: int, random: bool = False):
        super().__init__("contexts", items=ITEMS, seed=seed)
        num = len(self.x)
        self.x = torch.randn(num, num, generator=Generator().manual_seed(seed)) if random else torch.eye(num)
        self.input_spec = Vector(num)


class Blocks(nn.Module):
    """Modules without bias for each context as the blocks of three linear layers, of which the context opens one."""

    def __init__(self, modules: Sequence[nn.Sequential]):
        super().__init__()
        first, second, last = ([module[depth].weight.data for module in modules] for depth in (0, 2, 4))
        stacked = torch.block_diag(*first), torch.block_diag(*second), torch.cat(last, 1)
        self.steps = nn.Sequential(*(step for weight in stacked for step in (_with(weight), nn.ReLU())))[:-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.steps((x[:, :3, None] * content(x)[:, None]).flatten(1))


def _with(weight: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight.clone()
    return layer


def content(x: Tensor) -> Tensor:
    """What is the same in all contexts, with a 1 before."""
    return torch.cat([x.new_ones(len(x), 1), x[:, 3:]], 1)


def tables(task: Sides, steps: int = STEPS) -> list[tuple[str, Sides, nn.Module]]:
    """An entry for each example of each context, and modules for each context within one linear layer."""
    codes, random = Codes(seed=task.seed), Codes(seed=task.seed, random=True)
    num = len(codes.x)
    with torch.random.fork_rng():
        torch.manual_seed(task.seed)
        entries = nn.Sequential(_with(codes.values.T))
        made = {
            "a linear layer with a bias": (codes, nn.Sequential(nn.Linear(num, ANSWERS))),
            "an MLP on one of many": (codes, nn.Sequential(nn.Linear(num, 64), nn.ReLU(), nn.Linear(64, ANSWERS))),
            "an MLP on random codes": (random, nn.Sequential(nn.Linear(num, 64), nn.ReLU(), nn.Linear(64, ANSWERS))),
        }
        for width in (3, 16):
            shared_net = nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, ANSWERS)
            made[f"{width} trained numbers for each"] = codes, nn.Sequential(nn.Linear(num, width, bias=False), *shared_net)
        modules = [
            nn.Sequential(_wide(4, 64), nn.ReLU(), _wide(64, 64), nn.ReLU(), _wide(64, ANSWERS)) for _ in range(task.sides)
        ]
    for given, network in made.values():
        fitted(network, given.x, given.values, steps)
    for module in modules:
        fitted(module, content(task.x), task.values, steps)
    found: list[tuple[str, Sides, nn.Module]] = [("the entries themselves", codes, entries)]
    found += [(name, given, network) for name, (given, network) in made.items()]
    found += [
        ("modules for each as blocks", task, Blocks(modules)),
        ("one module three times as blocks", task, Blocks(modules[:1] * task.sides)),
    ]
    return [(name, given, network.eval()) for name, given, network in found]


def _wide(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


def fitted(network: nn.Module, inputs: Tensor, values: Tensor, steps: int) -> None:
    """Trains a network, full batch, along a cosine."""
    optimizer = torch.optim.Adam(network.parameters(), lr=2 * RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 2 * RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        optimizer.zero_grad()
        (network(inputs) - values).square().sum(1).mean().backward()
        optimizer.step()


@torch.no_grad()
def relabelled(network: Net, generator: Generator) -> Net:
    """The same function with hidden units in another order and other scales."""
    found = Net(network.layers[0].in_features, *(layer.out_features for layer in linear(network)[1:3]), ANSWERS)
    found.load_state_dict(network.state_dict())
    layers = linear(found)
    for before, after in pairwise(layers):
        order = torch.randperm(before.out_features, generator=generator)
        scale = torch.randn(before.out_features, generator=generator).mul(0.7).exp()
        before.weight.copy_(scale[:, None] * before.weight[order])
        before.bias.copy_(scale * before.bias[order])
        after.weight.copy_(after.weight[:, order] / scale)
    return found.eval()


@torch.no_grad()
def split(network: Net) -> Net:
    """The same function with every hidden unit twice, each of which hands on half."""
    own = linear(network)
    found = Net(own[0].in_features, 2 * own[0].out_features, 2 * own[1].out_features, ANSWERS)
    for depth, (layer, before) in enumerate(zip(linear(found), own, strict=True)):
        weight = before.weight if depth == 0 else before.weight.repeat(1, 2) / 2
        copies = 1 if depth == len(own) - 1 else 2
        layer.weight.copy_(weight.repeat(copies, 1))
        layer.bias.copy_(before.bias.repeat(copies))
    return found.eval()


if __name__ == "__main__":
    main()
