"""What others would judge a network by: signals that the verdict must beat on the same networks. All are signed so that more
speaks for composition, as the literature has it, whatever the zoo says."""

import copy
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.evidence import Evidence
from assay.instruments.former.look import Look
from assay.instruments.former.search import Inside
from assay.instruments.former.states import Design
from assay.observed import Observed, observe
from assay.site import thinned
from assay.stats import child_generator
from assay.subject import Subject
from assay.task import Examples, Task
from assay.zoo.alignment import alignment

NOISE = 0.1  # of weights, relative to their own size, for sharpness
DRAWS = 5
ROWS = 800
PAIRS = 200  # of states, for topographic similarity


def of_training(subject: Subject, task: Task, examples: Examples, *, generator: Generator) -> dict[str, float]:
    """From trained inputs and weights alone: accuracy, loss, confidence, calibration, sharpness, norms."""
    outputs = subject(examples.inputs)
    scores = task.score(outputs, examples)
    loss = float(task.loss(outputs, examples))
    found = {
        "id_accuracy": float(scores.mean()),
        "id_loss": -loss,
        "sharpness": -_sharpness(subject, task, examples, loss, relative=True, generator=generator),
        "sharpness_adaptive": -_sharpness(subject, task, examples, loss, relative=False, generator=generator),
        "weight_norm": -_norm(subject),
    }
    if outputs.ndim == 2 and not examples.targets.is_floating_point():
        confidence = outputs.softmax(1).amax(1)
        found["confidence"] = float(confidence.mean())
        found["calibration"] = -abs(float(confidence.mean()) - float(scores.mean()))
    return found


def of_states(subject: Subject, task: Task, *, generator: Generator) -> dict[str, float]:
    """From the states: topographic similarity and effective dimension of the last hidden site, tree reconstruction error there,
    recombination in the plain Euclidean metric without nulls, and the accuracy of a searched linear alignment."""
    observed = observe(task, num_examples=ROWS, num_pairs=400, num_scrambles=0, num_folds=8, generator=generator)
    places = thinned(subject.sites(observed.examples.inputs), 8)
    sites = [site.name for site in places]
    inside = Inside.of(subject, observed, sites, metric="euclidean", generator=child_generator(generator))
    hidden = inside.states[sites[-2] if len(sites) > 1 else sites[-1]]
    centred = hidden - hidden.mean(0)
    variances = torch.linalg.eigvalsh((centred.T @ centred).double()).clamp(min=0)
    found = {
        "topographic_similarity": _topographic(observed, hidden, generator),
        "effective_dimension": -float(variances.sum().square() / variances.square().sum().clamp(min=1e-12)),
        "tree_reconstruction": _reconstruction(observed, hidden),
    }
    own = [_recombined(inside, name) for name in observed.exchanges if not observed.part(name).of]
    known = [value for value in own if value is not None]
    if known:
        found["recombination_euclidean"] = sum(known) / len(known)
    aligned = alignment(inside, generator=child_generator(generator))
    if aligned is not None:
        found["alignment_search"] = aligned
    return found


def of_evidence(evidence: Evidence) -> dict[str, float]:
    """From what recombination measured besides: probes, the weaker exchanges, and the deeper ones alone."""
    found: dict[str, float] = {}
    probes = [m for m in evidence.measures if m.key == "cross_combination_probe" and m.value is not None]
    if probes:
        found["decodability"] = _mean([m.value for m in probes])
        gains = [m.value - m.nulls[0].mean for m in probes if m.value is not None and m.nulls]
        found["decodability_gain"] = _mean(gains)
    for key, column in (
        ("seen_recombination", "recombination_seen"),
        ("novel_recombination", "recombination_anywhere"),
        ("novel_recombination_side_by_side", "recombination_side_by_side"),
        ("novel_recombination_past_the_mixing", "recombination_past_mixing"),
        ("novel_recombination_of_prototypes", "recombination_prototypes"),
    ):
        values = [m.value for m in evidence.measures if m.key == key and m.value is not None]
        if values:
            found[column] = _mean(values)
    return found


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return sum(known) / len(known)


def recipe(subject: Subject) -> dict[str, float]:
    """How it was trained, as its weights tell: the size of every layer's weights, and how many there are."""
    norms = [math.log(float(w.float().square().mean().sqrt()) + 1e-12) for w in subject.weights().values() if w.ndim > 1]
    values = torch.tensor(norms)
    return {
        "log_norm_mean": float(values.mean()),
        "log_norm_spread": float(values.std(correction=0)),
        "log_norm_first": norms[0],
        "log_norm_last": norms[-1],
        "log_weights": math.log(subject.num_weights()),
    }


def _norm(subject: Subject) -> float:
    return math.sqrt(sum(float(w.float().square().sum()) for w in subject.weights().values() if w.is_floating_point()))


def _sharpness(subject: Subject, task: Task, examples: Examples, loss: float, *, relative: bool, generator: Generator) -> float:
    """How much the loss on trained inputs rises under noise: on every weight in proportion to it, or to its layer's size."""
    rises = []
    for _ in range(DRAWS):
        noisy = copy.deepcopy(subject.module)
        with torch.no_grad():
            for weight in noisy.parameters():
                size = weight.abs() if relative else weight.square().mean().sqrt()
                weight += NOISE * size * torch.randn(weight.shape, generator=generator)
        rises.append(float(task.loss(Subject(noisy, batch_size=subject.batch_size)(examples.inputs), examples)) - loss)
    return sum(rises) / len(rises)


def _topographic(observed: Observed, states: Float[Tensor, "n d"], generator: Generator) -> float:
    """Rank correlation of distances between states and numbers of parts that differ (Brighton and Kirby 2006)."""
    from scipy.stats import spearmanr

    rows = torch.randperm(len(states), generator=generator)[:PAIRS]
    parts = torch.stack([observed.examples.parts[part.name][rows] for part in observed.parts if not part.of], 1)
    differ = (parts[:, None] != parts).sum(2)
    upper = torch.triu_indices(len(rows), len(rows), 1)
    distance = torch.cdist(states[rows], states[rows])
    return float(spearmanr(distance[upper[0], upper[1]], differ[upper[0], upper[1]]).statistic)


def _reconstruction(observed: Observed, states: Float[Tensor, "n d"]) -> float:
    """1 - tree reconstruction error with addition (Andreas 2019), in the sample that it is fitted on."""
    parts = [part for part in observed.parts if not part.of]
    table = Design.of(observed, parts[0], tuple(parts[1:])).table
    fitted = table @ torch.linalg.lstsq(table.double(), states.double(), driver="gelsd").solution.float()
    total = (states - states.mean(0)).square().sum()
    return float(1 - (states - fitted).square().sum() / total.clamp(min=1e-12))


def _recombined(inside: Inside, part: str) -> float | None:
    observed = inside.observed
    exchange = observed.exchanges[part]
    look = Look.at(inside, exchange, Design.of(observed, observed.part(part)), mixed=())
    units = look.units("novel")
    return float(units.means.mean()) if len(units.means) else None
