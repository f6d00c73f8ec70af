"""What the four networks share: addition modulo a prime as a table of one's own, and training that can end in either way."""

import copy
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, nn

import assay

TOML = """data = "rows.jsonl"
executor = "addition:total"

[[inputs]]
kind = "token"
columns = ["first", "second"]

[target]
column = "sum"
kind = "class"

[[parts]]
name = "first"

[[parts]]
name = "second"

[split]
column = "split"
"""


def total(parts: dict, row: dict) -> int:
    """The executor: what the answer is when parts take other values."""
    return (parts["first"] + parts["second"]) % row["modulus"]


def write_table(folder: Path, *, modulus: int, share: float, seed: int = 0) -> str:
    """All pairs of numbers, a share of them trained; the address of the task."""
    folder.mkdir(parents=True, exist_ok=True)
    order = torch.randperm(modulus**2, generator=Generator().manual_seed(seed)).tolist()
    lines = []
    for number, place in enumerate(order):
        first, second = divmod(number, modulus)
        row = {"first": first, "second": second, "sum": (first + second) % modulus, "modulus": modulus}
        lines.append(json.dumps({**row, "split": "train" if place < share * modulus**2 else "novel"}))
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (folder / "table.toml").write_text(TOML, encoding="utf-8")
    return f"table:{folder / 'table.toml'}"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, whether it is meant to generalise, and whether its rescaled twin is audited too."""

    name: str
    generalises: bool
    steps: int
    weight_decay: float
    learning_rate: float = 1e-2
    twin: bool = True


@dataclass(frozen=True)
class Found:
    """One line of the table that `compare` prints."""

    name: str
    generalises: bool
    seen: float
    novel: float
    composed: float
    null: float
    cut: str
    verdict: str
    norm: float


def all_of(task: assay.Task, split: str) -> assay.Examples:
    """Every example of a split."""
    return task.examples(split, 10**6, generator=Generator().manual_seed(0))


def trained(network: nn.Module, task: assay.Task, recipe: Recipe) -> nn.Module:
    """Full batches, AdamW, a learning rate that falls to a tenth."""
    examples = all_of(task, "seen")
    rate, decay = recipe.learning_rate, recipe.weight_decay
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, betas=(0.9, 0.98))
    for step in range(recipe.steps):
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 20) * (1 - 0.9 * step / recipe.steps)
        loss = task.loss(network(**examples.inputs), examples)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def score(network: nn.Module, task: assay.Task, split: str) -> float:
    """The true score on a split."""
    examples = all_of(task, split)
    with torch.no_grad():
        return float(task.score(network(**examples.inputs), examples).mean())


def rescaled(network: nn.Module, incoming: Sequence[tuple[str, int]], outgoing: Sequence[tuple[str, int]]) -> nn.Module:
    """A copy that computes the same: each unit's incoming weights times exp(N(0, 1)), its outgoing ones divided by it.

    `incoming` and `outgoing` name parameters, and the axis along which the units lie.
    """
    twin = copy.deepcopy(network)
    weights = dict(twin.named_parameters())
    name, axis = incoming[0]
    sizes = torch.randn(weights[name].shape[axis], generator=Generator().manual_seed(7)).exp()
    with torch.no_grad():
        for factors, places in ((sizes, incoming), (1 / sizes, outgoing)):
            for name, axis in places:
                shape = [-1 if place == axis else 1 for place in range(weights[name].ndim)]
                weights[name].mul_(factors.view(shape))
    return twin


def judged(network: nn.Module, task: assay.Task, name: str, *, generalises: bool) -> Found:
    """Audit the network on trained pairs, and look at what it really does on novel ones."""
    instruments = [assay.load_instrument(each) for each in ("systematicity", "recombination")]
    result = assay.audit(assay.Subject(network, name=name), task, effort="quick", instruments=instruments)
    inside = result.evidence[1]
    # Behind a first call that is not linear, or where there is no such place, at the sum of both embeddings.
    able = [inside.measure(key, form="sum") for key in ("novel_from_state", "novel_constructed_input") if has(inside, key)]
    composed = able[0]
    return Found(
        name=name,
        generalises=generalises,
        seen=score(network, task, "seen"),
        novel=score(network, task, "novel"),
        composed=composed.value,
        null=max(null.mean for null in composed.nulls),
        cut=composed.about["cut"],
        verdict=result.verdict.headline,
        norm=float(sum(weight.detach().square().sum() for weight in network.parameters()).sqrt()),
    )


def has(evidence: assay.Evidence, key: str) -> bool:
    """Whether a measure of that key has a value."""
    return any(measure.key == key and measure.value is not None for measure in evidence.measures)


def compare(
    make: Callable[[], nn.Module],
    recipes: Sequence[Recipe],
    *,
    modulus: int,
    share: float,
    incoming: Sequence[tuple[str, int]],
    outgoing: Sequence[tuple[str, int]],
) -> list[Found]:
    """Train by every recipe, audit each network and its rescaled twin, and print what came out."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        task = assay.load_task(write_table(Path(folder), modulus=modulus, share=share), trust=["addition:total"])
        for recipe in recipes:
            torch.manual_seed(0)
            network = trained(make(), task, recipe).eval()
            rows.append(judged(network, task, recipe.name, generalises=recipe.generalises))
            if recipe.twin:
                twin = rescaled(network, incoming, outgoing)
                rows.append(judged(twin, task, f"{recipe.name}, rescaled", generalises=recipe.generalises))
    print(f"{'network':<34} seen  novel | composed, null     | at               | norm  | verdict")
    for row in rows:
        inside = f"{row.composed:.2f}, {row.null:.2f}       | {row.cut:<16}"
        print(f"{row.name:<34} {row.seen:.2f}  {row.novel:.2f}  | {inside} | {row.norm:6.1f} | {row.verdict}")
    return rows
