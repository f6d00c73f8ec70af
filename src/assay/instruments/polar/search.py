"""The search, fit and scoring, the same for the network, its untrained copies and every other null."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.encoding.hugging_face import WORDS
from assay.evidence import UNTRAINED
from assay.graph_controls import control_head_graphs, control_relations, permuted
from assay.instrument import Random
from assay.instruments.polar.fit import Angle, Fitting, Probes, fit_depth, fit_distance, fit_polar, unfitted
from assay.instruments.polar.scores import CORRELATION, ROOT, Fitted, Scores, correlations, deep, length_mean, score, score_fit
from assay.instruments.polar.targets import Sample, TextStates
from assay.stats import child_generator, mean_interval

CURVE_WEIGHT = 1.0
CANDIDATES: tuple[tuple[Angle, float], ...] = (("prototype", 0.25), ("prototype", 0.5), ("prototype", 1.0), ("pair", 10.0))
"""The angle losses and weights that are tried, in this order; of equal scores the first is taken."""
CHAIN, POSITION, NO_PROBE = "chain", "position-only probe", "no probe"
RANDOM, PERMUTED, EMBEDDING = "random projection", "permuted graphs", "word embedding"
MOVED = "probe of another network"
EVERY = (UNTRAINED, MOVED, CHAIN, POSITION, NO_PROBE, RANDOM, PERMUTED)
Nulls = Mapping[str, tuple[str, Sequence[Scores]]]
"""By name of a null, how it was made, and the scores of each of its repeats."""
Cell = tuple[float | None, float | None, float | None]
"""A value and the limits of its interval, each None where undefined."""
Rows = Mapping[str, Mapping[str, Cell]]
"""Cells by measure and layer."""
POSITION_WIDTH, _LONGEST_WAVE = 64, 10_000.0  # of the sinusoidal position encoding


@dataclass(frozen=True)
class FoundProbes:
    """The choices made on the dev texts, and the probes of every layer.

    **Attributes:**

    - `layer`: the layer with the highest LAS of the polar probe, since LAS needs distance, direction and relation; ties are
      broken by the UUAS of a distance probe. `angle`, `weight`: those with the highest LAS there, decoded as legal trees.
    - `train`, `test`: the texts at this layer; `basis`: the components to which its states were reduced.
    - `distance`, `polar`: a probe for every layer; the polar one has the prototype loss with weight 1.
    - `tried`: angle loss, weight, UUAS, type accuracy and LAS on the dev texts, at this layer.
    """

    texts: TextStates
    fitting: Fitting
    layer: int
    train: Sample
    test: Sample
    basis: Float[Tensor, "1 width kept"]
    angle: Angle
    weight: float
    distance: Probes
    polar: Probes
    tried: tuple[tuple[str, float, float, float, float], ...]

    def fit(self, train: Sample, *, generator: Generator) -> Fitted:
        """Fit all three probes on texts at one layer, with the chosen loss."""
        one, other, third = (child_generator(generator) for _ in range(3))
        return Fitted(
            distance=fit_distance(train, fitting=self.fitting, generator=one),
            polar=fit_polar(train, angle=self.angle, weights=[self.weight], fitting=self.fitting, generator=other),
            depth=fit_depth(train, fitting=self.fitting, generator=third),
        )

    def scores(self, train: Sample, test: Sample, *, generator: Generator) -> Scores:
        """Fit on `train`, and score on `test`."""
        return score_fit(self.fit(train, generator=generator), test)


def search(texts: TextStates, *, fitting: Fitting, generator: Generator) -> FoundProbes:
    """Fit probes at all layers and choose among them, without the raw word embedding, which is a null."""
    train, dev = texts.train, texts.dev
    candidates = [k for k, name in enumerate(texts.layers) if name != WORDS]
    weights = [CURVE_WEIGHT] * len(train.states)
    distance = fit_distance(train, fitting=fitting, generator=child_generator(generator))
    polar = fit_polar(train, angle="prototype", weights=weights, fitting=fitting, generator=child_generator(generator))
    uuas = [scored.micro("UUAS") for scored in score(distance, dev, punctuation=False)]
    las = [scored.micro("LAS") for scored in score(polar, dev)]
    layer = max(candidates, key=lambda k: (las[k], uuas[k], -k))
    at, tried = train.at([layer]), []
    for angle, weight in CANDIDATES:
        if (angle, weight) == ("prototype", CURVE_WEIGHT):
            probes = polar.at([layer])
        else:
            probes = fit_polar(at, angle=angle, weights=[weight], fitting=fitting, generator=child_generator(generator))
        (scored,) = score(probes, dev.at([layer]), how="legal")
        tried.append((angle, weight, scored.micro("UUAS"), scored.micro("type accuracy"), scored.micro("LAS")))
    best = max(range(len(tried)), key=lambda k: (tried[k][-1], -k))
    basis = torch.eye(train.states.shape[2])[None] if texts.basis is None else texts.basis[[layer]]
    chosen = layer, at, texts.test.at([layer]), basis, *CANDIDATES[best]
    return FoundProbes(texts, fitting, *chosen, distance, polar, tuple(tried))


def baselines(found: FoundProbes, *, repeats: int, rng: Random) -> Nulls:
    """The nulls that are made from the network's own states and graphs."""
    train, test, texts, num = found.train, found.test, found.texts, range(repeats)

    def plain(train: Sample, test: Sample, rank: int | None = None, k: int = 0) -> Scores:
        probes = unfitted(train, rank, generator=rng(RANDOM, k))
        return score_fit(Fitted(probes, probes, probes), test)

    def wrong(draws: Generator) -> Sample:
        return train.asked_for([permuted(graph, generator=draws) for graph in train.graphs])

    of_places = [found.scores(positions(train), positions(test), generator=rng(POSITION))]
    of_random = [plain(train, test, found.fitting.rank, k) for k in num]
    of_wrong = [found.scores(wrong(rng("permutation", k)), test, generator=rng(PERMUTED, k)) for k in num]
    made = {
        CHAIN: ("every word linked to the next", [plain(in_line(train), in_line(test))]),
        POSITION: ("the same fit on a sinusoidal encoding of each word's position", of_places),
        NO_PROBE: ("the states without a linear map; each relation has the mean of its training edges", [plain(train, test)]),
        RANDOM: (f"random linear maps of the probe's rank ({repeats}); each relation has the mean of its edges", of_random),
        PERMUTED: (f"the same fit on training graphs with permuted nodes ({repeats} draws)", of_wrong),
    }
    if WORDS in texts.layers:
        one, other = (sample.at([texts.layers.index(WORDS)]) for sample in (texts.train, texts.test))
        how = "the same fit on word embeddings, which do not depend on context"
        made[EMBEDDING] = (how, [found.scores(one, other, generator=rng(EMBEDDING))])
    return made


def curve_rows(found: FoundProbes, *, generator: Generator) -> Rows:
    """Scores on the test texts at every layer: distance probes without punctuation, polar probes with it, decoded edge by edge,
    and depth probes."""
    test, layers = found.texts.test, found.texts.layers
    deeps = deep(fit_depth(found.texts.train, fitting=found.fitting, generator=generator), test)
    columns = {
        "UUAS": [_cell(one.units("UUAS")) for one in score(found.distance, test, punctuation=False)],
        "LAS": [_cell(one.units("LAS")) for one in score(found.polar, test)],
        "DSpr": [(or_none(length_mean(one, test)), None, None) for one in correlations(found.distance, test)],
        ROOT: [_cell(one[ROOT][~one[ROOT].isnan()]) for one in deeps],
        CORRELATION: [_cell(one[CORRELATION][~one[CORRELATION].isnan()], (-1.0, 1.0)) for one in deeps],
        "NSpr": [(or_none(length_mean(one[CORRELATION], test)), None, None) for one in deeps],
    }
    return {title: dict(zip(layers, cells, strict=True)) for title, cells in columns.items()}


def _cell(units: Float[Tensor, " texts"], bounds: tuple[float, float] = (0.0, 1.0)) -> Cell:
    interval = mean_interval(units, bounds=bounds)
    low, high = (interval.low, interval.high) if interval else (None, None)
    return or_none(float(units.mean())), low, high


def or_none(value: float) -> float | None:
    """The value, None for NaN."""
    return value if value == value else None


def in_line(sample: Sample) -> Sample:
    """The sample with each node's position as its state, so that without a probe the tree is the chain from left to right."""
    return sample.with_states(_places(sample)[None, :, None])


def positions(sample: Sample) -> Sample:
    """The sample with a sinusoidal encoding of each node's position as its state (Vaswani et al. 2017, section 3.5): the null
    for what a fitted probe can find from positions alone."""
    waves = _LONGEST_WAVE ** (-torch.arange(0, POSITION_WIDTH, 2) / POSITION_WIDTH)
    angles = _places(sample)[:, None] * waves
    return sample.with_states(torch.cat([angles.sin(), angles.cos()], 1)[None])


def _places(sample: Sample) -> Float[Tensor, " nodes"]:
    """The mean position of the words of every node."""
    return torch.tensor([sum(words) / len(words) for graph in sample.graphs for words in graph.mentions], dtype=torch.float32)


def control_scores(found: FoundProbes, *, seeds: Sequence[int], rng: Random) -> dict[str, tuple[str, Float[Tensor, "s texts"]]]:
    """Probes fitted on control tasks (Hewitt and Liang 2019): by rate, a description of the task, and the contributions of the
    texts, one row for every seed."""
    texts, options = (found.train, found.test), {"fitting": found.fitting}
    of_relations, of_heads = [], []
    for seed in seeds:  # the same for train and test texts, so that words keep their relations and heads
        one, other = (sample.asked_for(control_relations(sample.graphs, seed=seed)) for sample in texts)
        polar = fit_polar(one, angle=found.angle, weights=[found.weight], generator=rng("relations", seed), **options)
        of_relations += [scored.units("type accuracy") for scored in score(polar, other)]
        one, other = (sample.asked_for(control_head_graphs(sample.graphs, seed=seed)) for sample in texts)
        distance = fit_distance(one, generator=rng("heads", seed), **options)
        of_heads += [scored.units("UUAS") for scored in score(distance, other, punctuation=False)]
    return {
        "type accuracy": ("in which the dependent's word alone fixes a random relation", torch.stack(of_relations)),
        "UUAS": ("in which each word alone fixes a random rule for its head", torch.stack(of_heads)),
    }
