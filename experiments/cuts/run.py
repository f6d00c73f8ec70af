"""The experiment on cuts, whose questions and thresholds are in docs/experiments/cuts.md.

    OMP_NUM_THREADS=1 python experiments/cuts/run.py --jobs 2 --out DIR

Trains the networks of sixteen instances, measures the curves of each beside five fresh copies and five scrambled declarations,
and prints the table of answers with intervals over instances. What is measured of an instance is kept in DIR, so that the
command goes on where it was stopped; DIR also receives the picture of the curves of six networks.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from answers import report
from architectures import P
from curves import (
    Data,
    call,
    combined_between,
    curves,
    headline,
    is_entangled,
    lower_bound,
    scrambled,
    upper_bound,
    what_breaks,
)
from instances import Made, fresh, instances, made, undivided
from torch import Tensor, nn

from assay.jobs import run_parallel
from assay.stats import keyed_generator
from assay.subject import Subject
from assay.substitution import Trained
from assay.substitution.predictors import main_effects

COPIES = 5
LETTERS = ("cs", "es", "c", "e", "p")


def measured(instance: tuple[str, int], folder: Path) -> None:
    """Everything about one instance, as a JSON file."""
    kind, seed = instance
    path = folder / f"{kind}-{seed}.json"
    if path.exists():
        return
    start = time.process_time()
    rows = [_network(network, kind, seed) for network in made(kind, seed)]
    path.write_text(json.dumps({"cpu_seconds": time.process_time() - start, "networks": rows}, indent=1))


def measured_undivided(seed: int) -> list[dict[str, Any]]:
    """What is said of composers without a cut before the combining."""
    rows = []
    for name, module, data in undivided(seed):
        subject = Subject(module)
        found = curves(subject, data, seed=seed)
        right = subject({"x": data.novel.inputs}).argmax(-1) == data.novel.answers
        at = headline(found)
        rows.append({"name": name, "novel": float(right.float().mean()), "headline": at and at.depth, "call": call(found)})
    return rows


def _network(network: Made, kind: str, seed: int) -> dict[str, Any]:
    subject, data = Subject(network.module, fresh=fresh(kind)), network.data
    right = {
        split: subject({"x": rows.inputs}).argmax(-1) == rows.answers
        for split, rows in (("seen", data.held), ("fitted", data.fitted), ("novel", data.novel))
    }
    own = curves(subject, data, seed=seed)
    at = headline(own)
    copies = [subject.untrained(keyed_generator(seed, f"copy {k} of {network.name}")) for k in range(COPIES)]
    nulls = {
        "fresh weights": [_at_headline(curves(copy, data, seed=seed)) for copy in copies],
        "scrambled": [_at_headline(curves(subject, scrambled(data, seed=seed + k), seed=seed)) for k in range(COPIES)],
    }
    return {
        "name": network.name,
        "kind": kind,
        "seed": seed,
        "meant": network.meant,
        "coverage": network.coverage,
        "decay": network.decay,
        "seen": float(torch.cat([right["seen"], right["fitted"]]).float().mean()),
        "novel": float(right["novel"].float().mean()),
        "novel_pairs": len(right["novel"]),
        **_taught(network, right["novel"]),
        "novel_low": lower_bound(right["novel"]),
        "novel_high": upper_bound(right["novel"]),
        "entangled": is_entangled(own, chance=data.chance),
        "chance": data.chance,
        "curves": [
            {
                "depth": cut.depth,
                "leads": cut.leads,
                "a": cut.explained,
                **{f"{letter}_{form}": cut.rate(letter, form) for letter in LETTERS for form in cut.c},
            }
            for cut in own
        ],
        "headline": at.depth if at else None,
        "at_headline": _at_headline(own),
        "interval": combined_between(own, chance=data.chance),
        "breaks": what_breaks(own),
        "call": call(own),
        "nulls": nulls,
        "baselines": _baselines(network, data),
    }


def _taught(network: Made, right: Tensor) -> dict[str, float | None]:
    """The share answered right of the novel pairs that were taught wrongly, and of the others."""
    if network.wrong is None:
        return {"taught_wrongly": None, "taught_right": None, "untaught_right": None}
    others = right[~network.wrong].float()
    return {
        "taught_wrongly": float(network.wrong.float().mean()),
        "taught_right": float(right[network.wrong].float().mean()),
        "untaught_right": float(others.mean()) if len(others) else None,
    }


def _at_headline(found: list) -> dict[str, float] | None:
    at = headline(found)
    return {letter: at.rate(letter) for letter in LETTERS} if at else None


def _baselines(network: Made, data: Data) -> dict[str, float]:
    novel = data.novel.parts.numpy()
    trained = torch.cat([data.fitted.parts, data.held.parts]).numpy()
    answers = torch.cat([data.fitted.answers, data.held.answers]).numpy()
    completed = main_effects(Trained.of(trained, answers, data.sizes), novel, P).answers
    return {
        "coverage": network.coverage,
        "main effects": float((torch.from_numpy(completed) == data.novel.answers).float().mean()),
        "nearest trained pair": _nearest(trained, answers, data),
        "minus the weights' norm": -(
            sum(float(weight.detach().square().sum()) for weight in network.module.parameters()) ** 0.5
        ),
        "decodability": _decodability(network.module, data),
    }


def _nearest(trained: Any, answers: Any, data: Data) -> float:
    """Answering as a trained pair with the same first or second symbol, all of them alike."""
    pairs, known = torch.from_numpy(trained), torch.from_numpy(answers)
    shares = (data.novel.parts[:, None] == pairs).any(-1).float()
    hits = (data.novel.answers[:, None] == known).float()
    return float(((shares * hits).sum(1) / shares.sum(1)).mean())


def _decodability(module: nn.Module, data: Data) -> float:
    """Mean accuracy of least-squares probes for both symbols, at the head's input, on held-out trained pairs."""
    states: list[Tensor] = []
    hook = module.head.register_forward_pre_hook(lambda _, given: states.append(given[0].detach()))
    with torch.no_grad():
        for rows in (data.fitted, data.held):
            module(rows.inputs)
    hook.remove()
    right = []
    for part, size in enumerate(data.sizes):
        targets = nn.functional.one_hot(data.fitted.parts[:, part], size).float()
        design = torch.cat([states[0], torch.ones(len(states[0]), 1)], 1)
        weights = torch.linalg.lstsq(design.T @ design + 1e-3 * torch.eye(design.shape[1]), design.T @ targets).solution
        scores = torch.cat([states[1], torch.ones(len(states[1]), 1)], 1) @ weights
        right.append(float((scores.argmax(1) == data.held.parts[:, part]).float().mean()))
    return sum(right) / len(right)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    run_parallel(partial(measured, folder=options.out), instances(), jobs=options.jobs)
    found = [json.loads((options.out / f"{kind}-{seed}.json").read_text()) for kind, seed in instances()]
    print(f"{sum(one['cpu_seconds'] for one in found) / 60:.0f} CPU minutes\n")
    others = run_parallel(measured_undivided, range(200, 206), jobs=options.jobs)
    report([row for one in found for row in one["networks"]], [row for rows in others for row in rows], options.out)


if __name__ == "__main__":
    main()
