"""Networks of the test bed: recipes that cross what is trained with whether it makes a network compose, and their making.

A kind is named after how a network is made, not after what comes of it, which is measured. A seed draws the task (rule and
trained combinations), the initial weights and the batches, so that networks of one seed share them.
"""

import copy
import itertools
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn

import assay
from assay.models import build
from assay.stats import keyed_generator
from assay.store import read_tensors, write_tensors
from assay.subject import Subject
from assay.swarm.evaluate import Evaluator
from assay.swarm.expert import difference
from assay.swarm.pool import ExpertPool
from assay.swarm.scores import accuracy, log_probability
from assay.swarm.search import search_once
from assay.swarm.utility import ScoredItems, Utility
from assay.task import Examples, Task
from assay.tasks.language import SHARES, Language
from assay.training import TrainingConfig, TrainingData, fit


class World(NamedTuple):
    """The model that is trained on a task, its usual width and steps, and the weight decay of what is not said to be plain."""

    model: str
    width: int
    steps: int
    decay: float


WORLDS = {"language": World("transformer", 64, 1_500, 0.6), "sprites": World("cnn", 8, 3_000, 2.0)}
"""By task. The recipe of sprites was chosen on networks of seed 100, which are not in the test bed."""
TWINS = ("untrained", "shuffled")
"""Kinds in which there is nothing to find: networks of the initial weights, and trained on answers dealt at random."""
EVERYTHING = 10**6
_ROWS = 40_000  # of lines that a network of the language is trained on, drawn once
_TRUNK = 0.6  # of the steps of a merged network, before its experts part
_EVALUATIONS = 60  # of a swarm
_ITEMS = 200  # trained ones, on which a swarm judges


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one network is made.

    **Attributes:** `coverage`: share of the combinations that is trained; `decay`: of weights; `steps`; `scale`: of the initial
    weights; `sparse`: share of weights that stay; `wrong`: share of the novel combinations on which a wrong answer is taught.
    """

    world: str
    kind: str
    coverage: float
    decay: float
    steps: int
    width: int
    scale: float = 1.0
    sparse: float = 1.0
    wrong: float = 0.0
    seed: int = 0

    @property
    def name(self) -> str:
        world = WORLDS[self.world]
        usual = asdict(Recipe(world="", kind="", coverage=0, decay=world.decay, steps=world.steps, width=world.width))
        numbers = {key: value for key, value in asdict(self).items() if key not in ("world", "kind") and value != usual[key]}
        return "-".join([self.world, self.kind, *(f"{key}{value:g}" for key, value in numbers.items())])

    @property
    def task(self) -> str:
        return f"{self.world}:coverage={self.coverage:g},seed={self.seed}"


def recipes(seeds: int = 5) -> list[Recipe]:
    """All, so ordered that the first ones are spread over worlds and kinds."""
    kinds: dict[str, list[dict]] = {  # steps and width as parts of the usual ones
        "decayed": [{"coverage": c} for c in (0.8, 0.5, 0.65, 0.35, 0.2)],
        "plain": [{"coverage": c, "decay": 0.0} for c in (0.8, 0.5, 0.2)],
        "contradicted": [{"coverage": 0.8, "wrong": w} for w in (1.0, 0.5)],
        "short": [{"coverage": c, "steps": 1 / 3} for c in (0.8, 0.5)],
        "sparse": [{"coverage": c, "sparse": 0.25} for c in (0.8, 0.5)],
        "merged": [{"coverage": c} for c in (0.8, 0.5)],
        "scaled": [{"coverage": 0.8, "scale": s} for s in (0.3, 2.0)],
        "sized": [{"coverage": 0.8, "width": w} for w in (0.5, 2)],
        "untrained": [{"coverage": 0.8, "steps": 0}],
        "shuffled": [{"coverage": 0.8}],
    }
    longest = max(map(len, kinds.values()))
    found = []
    for seed, k, kind, (name, world) in itertools.product(range(seeds), range(longest), kinds, WORLDS.items()):
        for given in kinds[kind][k : k + 1]:
            steps, width = (round(given.get(of, 1) * getattr(world, of)) for of in ("steps", "width"))
            own = {"decay": world.decay, **given, "steps": steps, "width": width}
            found.append(Recipe(world=name, kind=kind, seed=seed, **own))
    return found


@cache
def loaded(address: str) -> Task:
    """The task, whose kinds of novelty are then counted once."""
    return assay.load_task(address)


def network_of(recipe: Recipe, folder: Path) -> tuple[Subject, float | None]:
    """The network, and the CPU time in seconds that its training took; None where its weights lay in `folder`."""
    task, file = loaded(recipe.task), folder / f"{recipe.name}.safetensors"
    model, seconds = initial(recipe, task), None
    if file.is_file():
        model.load_state_dict(read_tensors(file)[0])
    else:
        start = time.process_time()
        if recipe.steps:
            train(model, recipe, task)
        seconds = time.process_time() - start
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(file, model.state_dict())
    fresh = lambda generator: build(WORLDS[recipe.world].model, task, generator=generator, **_options(recipe))  # noqa: E731
    return Subject(model.eval(), name=recipe.name, fresh=fresh), seconds


def train(model: nn.Module, recipe: Recipe, task: Task) -> None:
    """Train the model in place."""
    if recipe.kind == "shuffled":
        task = loaded(f"{recipe.task},targets=table")
    rng = keyed_generator(recipe.seed, "test bed: rows")
    own, others = rows_of(task, rng)
    if recipe.kind == "merged":
        _merge(model, recipe, task, own, others)
        return
    if recipe.wrong:
        taught = wrongly(task, recipe.wrong, rng)
        share = len(taught.combination.unique()) / len(own.combination.unique())
        own = Examples.joined(own, taught.take(torch.randint(len(taught), (round(share * len(own)),), generator=rng)))
    fit_on(model, recipe, task, [own, *others], recipe.steps)


def rows_of(task: Task, generator: Generator) -> tuple[Examples, list[Examples]]:
    """Trained examples of the combinations, and what else of its world a network is trained on."""
    if not isinstance(task, Language):
        return task.examples("seen", EVERYTHING, generator=generator), []
    num = round(SHARES["prices"] * _ROWS)
    lines = task.training(_ROWS, generator=generator)
    return task.examples("train", num, generator=generator), [lines.take(torch.arange(num, _ROWS))]


def wrongly(task: Task, share: float, generator: Generator) -> Examples:
    """All examples of a share of the novel combinations, each combination with the answers of another one."""
    novel = task.examples("novel", EVERYTHING, generator=generator)
    free = [name for name in novel.parts if name not in task.combines and not task.part(name).of]
    order = torch.arange(len(novel))
    for column in (*(novel.parts[name] for name in free), novel.combination):
        order = order[column[order].argsort(stable=True)]
    novel = novel.take(order)
    num = len(novel.combination.unique())
    answers = novel.targets.view(num, -1)
    dealt = torch.randperm(num, generator=generator)
    while bool((same := (answers[dealt] == answers).any(1)).any()):
        left = same.nonzero()[:, 0]
        other = torch.randint(num, (len(left),), generator=generator)
        for one, two in zip(left.tolist(), other.tolist(), strict=True):
            dealt[[one, two]] = dealt[[two, one]]
    chosen = torch.randperm(num, generator=generator)[: max(1, round(share * num))]
    rows = torch.arange(len(novel)).view(num, -1)[chosen].flatten()
    return replace(novel.take(rows), targets=answers[dealt][chosen].flatten())


def initial(recipe: Recipe, task: Task) -> nn.Module:
    """The network before its first step."""
    generator = keyed_generator(recipe.seed, "test bed: weights")
    return build(WORLDS[recipe.world].model, task, generator=generator, **_options(recipe))


def _options(recipe: Recipe) -> dict[str, int | float]:
    return {"width": recipe.width, "init_scale": recipe.scale}


def fit_on(model: nn.Module, recipe: Recipe, task: Task, parts: list[Examples], steps: int, rate: float = 4e-3) -> None:
    """Train the model in place on the rows of these parts."""
    inputs = {name: torch.cat([part.inputs[name] for part in parts]) for name in parts[0].inputs}
    data = TrainingData(inputs, torch.cat([part.targets for part in parts]), task.objective)
    config = TrainingConfig(
        steps=steps, batch_size=128, learning_rate=0.02 if recipe.sparse < 1 else rate, weight_decay=recipe.decay,
        sparse=recipe.sparse, seed=recipe.seed,
    )  # fmt: skip
    fit(model, data, config=config)


def _merge(model: nn.Module, recipe: Recipe, task: Task, own: Examples, others: list[Examples]) -> None:
    """Train a trunk, then from it two experts on one half of the trained combinations each, and merge them by the weights that
    a swarm finds best on trained examples."""
    fit_on(model, recipe, task, [own, *others], round(_TRUNK * recipe.steps))
    known, experts, items = own.combination.unique(), {}, own.take(torch.arange(_ITEMS))
    for k in range(2):
        expert = copy.deepcopy(model)
        mine: Bool[Tensor, " n"] = torch.isin(own.combination, known[k::2])
        rows: Int[Tensor, " m"] = mine.nonzero()[:, 0]
        rows = rows[torch.arange(len(own)) % len(rows)]
        steps = round((1 - _TRUNK) * recipe.steps)
        fit_on(expert, recipe, task, [own.take(rows), *others], steps, rate=1e-3)
        counts = {name: value for name, value in model.state_dict().items() if not value.is_floating_point()}
        experts[f"half {k + 1}"] = difference({**expert.state_dict(), **counts})  # those of batches, which a batch norm holds
    (column,) = items.inputs
    utility = Utility(items=ScoredItems(items.inputs[column], items.targets), score=accuracy, graded=log_probability)
    pool = ExpertPool(model, experts, space="full", span="linear")
    evaluator = Evaluator(model, pool, utility=utility, graded=True)
    found = search_once(evaluator, "swarm", budget=_EVALUATIONS, seed=recipe.seed)
    model.load_state_dict({**model.state_dict(), **pool.weights(torch.from_numpy(found.best))})
