"""The search, fit and scores that the network, its untrained copies and every null of its own get alike."""

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
"""Angle loss and weight; the first of equal ones is taken."""
CHAIN, POSITION, NO_PROBE = "chain", "position-only probe", "no probe"
RANDOM, PERMUTED, EMBEDDING = "random projection", "permuted graphs", "word embedding"
MOVED = "probe of another network"
EVERY = (UNTRAINED, MOVED, CHAIN, POSITION, NO_PROBE, RANDOM, PERMUTED)
Nulls = Mapping[str, tuple[str, Sequence[Scores]]]
"""By name how a null was made, and what each of its repeats gives."""
Cell = tuple[float | None, float | None, float | None]
"""A value and the ends of its interval, None where there is none."""
Rows = Mapping[str, Mapping[str, Cell]]
"""By measure and layer."""
POSITION_WIDTH, _LONGEST_WAVE = 64, 10_000.0  # of the sines and cosines of a place


@dataclass(frozen=True)
class FoundProbes:
    """What was chosen on the dev texts, and the probes of every layer.

    **Attributes:**

    - `layer`: with the highest LAS of the polar probe, which needs distance, direction and relation; UUAS of a distance probe
      decides between equal ones. `angle`, `weight`: with the highest LAS there, decoded as legal trees.
    - `train`, `test`: the texts at the layer; `basis`: of the components that its states were reduced to.
    - `distance`, `polar`: a probe for every layer, the polar one at weight 1 of the prototype form.
    - `tried`: angle loss, weight, UUAS, type accuracy and LAS on the dev texts, at the layer.
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
        """All three probes on texts at one layer, fitted as was chosen."""
        one, other, third = (child_generator(generator) for _ in range(3))
        return Fitted(
            distance=fit_distance(train, fitting=self.fitting, generator=one),
            polar=fit_polar(train, angle=self.angle, weights=[self.weight], fitting=self.fitting, generator=other),
            depth=fit_depth(train, fitting=self.fitting, generator=third),
        )

    def scores(self, train: Sample, test: Sample, *, generator: Generator) -> Scores:
        """What such a fit gives on other texts."""
        return score_fit(self.fit(train, generator=generator), test)


def search(texts: TextStates, *, fitting: Fitting, generator: Generator) -> FoundProbes:
    """Fit probes at all layers, and choose among them; the raw word embedding is a null."""
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
    """Nulls of the network's own."""
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
        CHAIN: ("every word joined to the next", [plain(in_line(train), in_line(test))]),
        POSITION: ("the same fit on sines and cosines of each word's place", of_places),
        NO_PROBE: ("the states as they are, with the mean edge of every relation", [plain(train, test)]),
        RANDOM: (f"{repeats} random maps of the same rank, with the mean edge of every relation", of_random),
        PERMUTED: (f"the same fit on training graphs whose nodes were exchanged at random, {repeats} times", of_wrong),
    }
    if WORDS in texts.layers:
        one, other = (sample.at([texts.layers.index(WORDS)]) for sample in (texts.train, texts.test))
        how = "the same fit on word embeddings, which know no context"
        made[EMBEDDING] = (how, [found.scores(one, other, generator=rng(EMBEDDING))])
    return made


def curve_rows(found: FoundProbes, *, generator: Generator) -> Rows:
    """Test texts at every layer: distance probes without punctuation, polar ones edge by edge with it, and depth probes."""
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
    """States that are a node's place alone, so that without a probe the tree is the chain from left to right."""
    return sample.with_states(_places(sample)[None, :, None])


def positions(sample: Sample) -> Sample:
    """States that are sines and cosines of a node's place (Vaswani et al. 2017, section 3.5): what position alone can tell a
    probe that is fitted."""
    waves = _LONGEST_WAVE ** (-torch.arange(0, POSITION_WIDTH, 2) / POSITION_WIDTH)
    angles = _places(sample)[:, None] * waves
    return sample.with_states(torch.cat([angles.sin(), angles.cos()], 1)[None])


def _places(sample: Sample) -> Float[Tensor, " nodes"]:
    """The mean place of the words of every node."""
    return torch.tensor([sum(words) / len(words) for graph in sample.graphs for words in graph.mentions], dtype=torch.float32)


def control_scores(found: FoundProbes, *, seeds: Sequence[int], rng: Random) -> dict[str, tuple[str, Float[Tensor, "s texts"]]]:
    """What texts contribute to a rate of probes that are fitted on a control task (Hewitt and Liang 2019): by the rate, what
    the task is, and a row for every seed."""
    texts, options = (found.train, found.test), {"fitting": found.fitting}
    of_relations, of_heads = [], []
    for seed in seeds:  # of train and test alike, so that words keep their relations and heads
        one, other = (sample.asked_for(control_relations(sample.graphs, seed=seed)) for sample in texts)
        polar = fit_polar(one, angle=found.angle, weights=[found.weight], generator=rng("relations", seed), **options)
        of_relations += [scored.units("type accuracy") for scored in score(polar, other)]
        one, other = (sample.asked_for(control_head_graphs(sample.graphs, seed=seed)) for sample in texts)
        distance = fit_distance(one, generator=rng("heads", seed), **options)
        of_heads += [scored.units("UUAS") for scored in score(distance, other, punctuation=False)]
    return {
        "type accuracy": ("relation that the dependent's word decides", torch.stack(of_relations)),
        "UUAS": ("head that the word alone decides", torch.stack(of_heads)),
    }
