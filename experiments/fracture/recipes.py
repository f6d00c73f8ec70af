"""Whether a score tells one module from copies by context whatever the recipe, and what it predicts.

Run `python experiments/fracture/recipes.py` (a few minutes of processor time; `--seeds 1` for a look). Networks of three
contexts with one rule, trained by 11 recipes as one network and as a copy for each context (`sides.py`):

- *forms*: several forms of the score. For the third question of the verdict a form must move by at most a tenth of the planted
  difference between the two kinds over the recipes. Forms are looked at on the first seeds and confirmed on others.
- *degrees*: networks that answer a share of the rule by one module and the rest by copies.
- *auroc*: one network against copies, within each recipe and over all.
- *prediction*: on the seeds that no form was chosen on, the rank correlation of each form with *transfer* (the network is
  trained on to another rule in one context alone; how far do the other contexts follow?) and with *brittleness* (how much the
  loss grows under noise of a tenth of each layer's weights), over joint networks, over those of the usual initial scale, and
  over both kinds, with bootstrap intervals over networks.
"""

import argparse
import copy
import statistics
from collections.abc import Sequence

import torch
from contexts import CONTENT, Sides, copied, shared, value
from ladders import auroc, told
from sides import ITEMS, RECIPES, Made, copies, error_of, joint, linear, mixed
from torch import Generator, Tensor

from assay.instruments.fracture.coherence import coherence
from assay.regularity import Regularity
from assay.responses import Layer, ReadNetwork, balanced, by_unit, overlap_of_rows, overlap_of_weights, read_layers
from assay.stats import rank_correlation, share_interval
from assay.subject import Subject

CHOSEN, CONFIRMED = (0, 1), (10, 11, 12, 13)
RESAMPLES = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=len(CONFIRMED), help="of the confirmation")
    parser.add_argument("--confirm", action="store_true", help="leave out the seeds on which forms were looked at")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if not given.confirm:
        scored(CHOSEN, "seeds on which forms were looked at")
    predict(*scored(CONFIRMED[: given.seeds], "other seeds"))
    degrees(range(5))


# Forms


def of_all(layers: Sequence[Layer], read: ReadNetwork, regularity: Regularity) -> float:
    return coherence(layers, read.outputs, regularity).value


def of_weights(layers: Sequence[Layer], regularity: Regularity) -> tuple[Tensor, Tensor]:
    """The energy of every weight's responses, and the share of it kept."""
    energies, kept = [], []
    for layer in layers:
        own = overlap_of_weights(layer)
        moved = zip(regularity.rows[1:], regularity.outputs[1:], strict=True)
        shared = (own + sum(overlap_of_weights(layer, rows, outputs) for rows, outputs in moved)) / len(regularity.rows)
        energies.append(own.flatten())
        kept.append(shared.flatten())
    energy = torch.cat(energies)
    live = energy > 1e-9 * energy.max()
    return energy[live], torch.cat(kept)[live] / energy[live]


def centred_cosine(layers: Sequence[Layer], regularity: Regularity) -> float:
    """The mean cosine between the gradients of examples of one orbit beyond that between examples of different orbits, as a
    share of what is left up to 1: what a common direction of all gradients adds is taken out."""
    num = len(layers[0].inputs)
    others = torch.randperm(num, generator=Generator().manual_seed(0))
    orbit = regularity.orbits()
    apart = orbit[others] != orbit
    own = sum(overlap_of_rows(layer) for layer in layers)
    size = own.sqrt()

    def cosine(rows: Tensor) -> Tensor:
        return sum(overlap_of_rows(layer, rows) for layer in layers) / (size * size[rows])

    within = torch.stack([cosine(rows) for rows in regularity.rows[1:]]).mean()
    between = cosine(others)[apart].mean()
    return float((within - between) / (1 - between))


def forms_of(made: Made) -> dict[str, float]:
    """Every form of one network. The outputs stay where they are under the exchange of contexts."""
    regular = made.task.regular(3 * ITEMS, generator=Generator().manual_seed(0))
    read, regularity = read_layers(Subject(made.network), regular.examples.inputs), regular.regularities[0]
    gauged, units = [balanced(layer) for layer in read.layers], [by_unit(layer) for layer in read.layers]
    energy, share = of_weights(units, regularity)
    found, half = coherence(gauged, read.outputs, regularity), (1 + 1 / made.task.sides) / 2
    orbits = found.kept.sum(0) / found.total.sum(0)
    by_layer = [one for one in found.by_layer() if one is not None]
    return {
        "coherence (balanced)": found.value,
        "every weight alike": of_all(read.layers, read, regularity),
        "relative to the size of each weight": _relative(read.layers, regularity),
        "mean over layers": statistics.fmean(by_layer),
        "without the first layer": of_all(gauged[1:], read, regularity),
        "mean over orbits": float(orbits.mean()),
        "median over weights": float(share.median()),
        "weights over the middle": float((share > half).double().mean()),
        "energy of weights over the middle": float(energy[share > half].sum() / energy.sum()),
        "sharing": float(found.sharing()[0].mean()),
        "cosine beyond that of other orbits": centred_cosine(gauged, regularity),
    }


def _relative(layers: Sequence[Layer], regularity: Regularity) -> float:
    """Responses to a change of each weight by a share of its size."""
    total = kept = 0.0
    for layer in layers:
        square = layer.weight.square()
        for rows, outputs in zip(regularity.rows, regularity.outputs, strict=True):
            kept += float((square * overlap_of_weights(layer, rows, outputs)).sum()) / len(regularity.rows)
        total += float((square * overlap_of_weights(layer)).sum())
    return kept / total


def scored(seeds: Sequence[int], what: str) -> tuple[list[Made], list[dict[str, float]], int]:
    """Prints the spread of every form over recipes beside the planted difference, and AUROC; returns the networks with their
    forms, and how many of them are joint: the first."""
    one, many = joint(seeds), copies(seeds)
    print(
        f"{what} ({len(seeds)}): errors of joint networks {told([made.error for made in one], 5)}, of copies "
        f"{told([made.error for made in many], 5)}"
    )
    scores, others = [forms_of(made) for made in one], [forms_of(made) for made in many]
    for form in scores[0]:
        high, low = [score[form] for score in scores], [score[form] for score in others]
        means = {name: statistics.fmean(high[k] for k, made in enumerate(one) if made.recipe == name) for name in RECIPES}
        planted = statistics.fmean(high) - statistics.fmean(low)
        spread = max(means.values()) - min(means.values())
        within = [
            auroc(
                [high[k] for k, made in enumerate(one) if made.recipe == name],
                [low[k] for k, made in enumerate(many) if made.recipe == name],
            )
            for name in RECIPES
        ]
        worst = min(means, key=means.__getitem__)
        part = spread / planted if planted else float("nan")
        print(
            f"  {form}: joint {told(high)}, copies {told(low)}; spread over recipes {spread:.3f} (least: {worst} "
            f"{means[worst]:.3f}), {part:.2f} of the planted {planted:.3f}; AUROC over "
            f"all {auroc(high, low):.3f}, worst recipe {min(within):.3f}",
            flush=True,
        )
    print(f"  called by sharing: joint networks {called(scores, ITEMS)}; copies {called(others, ITEMS)}")
    return one + many, scores + others, len(one)


def called(scores: Sequence[dict[str, float]], orbits: int) -> str:
    """How often the interval of sharing lies above the middle, and below: of an orbit's votes, each 0 or 1."""
    counts = [round(score["sharing"] * orbits) for score in scores]
    found = [share_interval(count, orbits) for count in counts]
    return f"one thing {sum(one.low > 0.5 for one in found)}, copies {sum(one.high < 0.5 for one in found)} of {len(found)}"


def degrees(seeds: Sequence[int]) -> None:
    """Prints coherence and sharing of planted mixtures."""
    for share in (0.0, 0.25, 0.5, 0.75, 0.9, 1.0):
        found = []
        for seed in seeds:
            task, draws = Sides("contexts", items=ITEMS, seed=seed), Generator().manual_seed(seed)
            network = mixed(shared(task, draws), copied(task, draws), share)
            found.append(forms_of(Made("planted", seed, task, network, 0.0)))
        columns = ("coherence (balanced)", "sharing")
        told_of = ", ".join(f"{form} {told([one[form] for one in found])}" for form in columns)
        print(f"{share:.2f} by one module: {told_of}; called {called(found, ITEMS)}", flush=True)


# Prediction


def predict(networks: Sequence[Made], scores: Sequence[dict[str, float]], num_joint: int) -> None:
    """Prints rank correlations with transfer and brittleness."""
    joint_ones = range(num_joint)
    groups = {
        "joint networks": list(joint_ones),
        "of them with the usual initial scale": [k for k in joint_ones if RECIPES[networks[k].recipe].scale == 1],
        "joint networks and copies": list(range(len(networks))),
    }
    for name, measure in (("transfer", transfer), ("brittleness", brittleness)):
        values = [measure(made) for made in networks]
        print(f"{name}: joint networks {told(values[:num_joint])}, copies {told(values[num_joint:])}", flush=True)
        for form in scores[0]:
            found = [score[form] for score in scores]
            each = [
                f"{group} ({len(ks)}) {correlation([found[k] for k in ks], [values[k] for k in ks])}"
                for group, ks in groups.items()
            ]
            print(f"  {form}: {'; '.join(each)}")


def correlation(a: Sequence[float], b: Sequence[float]) -> str:
    """Spearman's, with the percentile interval of a bootstrap over networks."""
    x, y = torch.tensor(a), torch.tensor(b)
    draws = Generator().manual_seed(0)
    found = []
    for _ in range(RESAMPLES):
        rows = torch.randint(len(x), (len(x),), generator=draws)
        found.append(_spearman(x[rows], y[rows]))
    value, ends = _spearman(x, y), torch.tensor(found).nanquantile(torch.tensor([0.025, 0.975])).tolist()
    return f"{value:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]" if value == value else "undefined, since all tie"


def _spearman(x: Tensor, y: Tensor) -> float:
    return float(rank_correlation(x.numpy()[None], y.numpy()[None])[0])


def transfer(made: Made) -> float:
    """The network is trained on in the first context alone, to the rule of another seed, until a tenth of the error there is
    left; the share of the error of the other contexts, on the new rule, that went with it."""
    task = made.task
    wanted = half_of_another(task, 1_000 + made.seed)
    first = torch.arange(0, len(task.x), task.sides)
    rest = torch.tensor([row for row in range(len(task.x)) if row % task.sides])
    network = copy.deepcopy(made.network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    before = error_of(network, task.x[rest], wanted[rest])
    start = error_of(network, task.x[first], wanted[first])
    for _ in range(2_000):
        optimizer.zero_grad()
        loss = (network(task.x[first]) - wanted[first]).square().sum(1).mean()
        loss.backward()
        optimizer.step()
        if error_of(network, task.x[first], wanted[first]) < 0.1 * start:
            break
    return 1 - error_of(network, task.x[rest], wanted[rest]) / before


def half_of_another(task: Sides, seed: int) -> Tensor:
    """The mean of the old rule and another at the task's inputs."""
    content = torch.cat([torch.ones(len(task.x), 1), task.x[:, -CONTENT:]], 1)
    return (task.values + value(Sides("contexts", seed=seed).rule, content)) / 2


@torch.no_grad()
def brittleness(made: Made) -> float:
    """The error, as a share of the variance, that noise of a tenth of the root mean square weight of each matrix adds."""
    draws, found = Generator().manual_seed(0), []
    for _ in range(10):
        network = copy.deepcopy(made.network)
        for layer in linear(network):
            size = layer.weight.square().mean().sqrt()
            layer.weight.add_(0.1 * size * torch.randn(layer.weight.shape, generator=draws))
        found.append(error_of(network, made.task.x, made.task.values) - made.error)
    return statistics.fmean(found)


if __name__ == "__main__":
    main()
