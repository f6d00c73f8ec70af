"""Line 3's own comparison: labelled attachment of the polar probe less that of equally large probes without an angle loss.

Run `python experiments/testbed/labels.py --folder smollm2` for a causal language model of a local folder on
`treebank:en_ewt,min_words=5,max_words=40`, and `--language DIR` for the networks of `pretraining.py` before they see a problem,
whose weights are in DIR. A distance has neither direction nor label, and there is more than one way to give it both:

- `polar`: map of rank r, distance and root loss, and the angle loss (Diego-Simon et al. 2024). Direction and relation of a pair
  are those of the nearest mean edge, by cosine.
- `distance`: the same map, root and mean edges without the angle loss: mean edges of every relation are read off the map, as
  the polar probe reads them off its own. This is the comparison of the authors, whose structural probe gets prototypes. As
  many numbers, the same decoding.
- `distance, depth`: r columns are divided into a map of distances and a map of depths (Hewitt and Manning 2019). Spanning tree
  of the distances; of two ends the less deep one is the head; the relation is the most frequent one in training between
  words so many places apart, up to three to either side. No label is read from a state.
- `distance, classifier`: r columns are divided into a map of distances and a linear classifier of every word's relation to its
  head, the root's among them, from which the spanning tree is directed (DepProbe, Mueller-Eberstein et al. 2022).

Each probe has four settings, of which the best on dev texts by LAS is taken: the first at every layer chooses the layer, and
the others are tried there. All have the same epochs, texts and starts. Rates count all edges, punctuation included; polar and
distance are decoded as legal trees, and in the column `edge by edge` as published. The unit is the text: intervals
join those over texts, of paired differences, with Student's t over fits. Nulls are the same search on sines and cosines of each
word's place, and on an untrained copy of the model; `--states` reads some of these alone. Processor time, one thread.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from pretraining import pretrained, recipe_of
from torch import Generator, Tensor

import assay
from assay.encoding import HuggingFaceEncoder, encode
from assay.encoding.encoder import Encoder
from assay.encoding.fed import FedEncoder
from assay.encoding.hugging_face import load_tokenizer
from assay.graph import FeedsGraphs, GivesGraphs, Graph, relations_of
from assay.instrument.frame import Random
from assay.instruments.polar.fit import Fitting, Probes, fit_depprobe, fit_depth, fit_distance, fit_polar, squared_distances
from assay.instruments.polar.scores import How, ScoredEdges, influence, score
from assay.instruments.polar.search import CANDIDATES, positions
from assay.instruments.polar.targets import Sample, in_order, sample_of
from assay.models import build
from assay.models.hugging_face import load_hugging_face
from assay.spanning import spanning_forest
from assay.stats import fitted_interval, fitted_p
from assay.subject import Subject

TREEBANK = "treebank:en_ewt,min_words=5,max_words=40"
LAYERS = ("8", "14", "20")
"""Of the 30 blocks of SmolLM2; chosen beforehand, about the middle, where syntax is read best."""
SITES = ("blocks.0:out", "blocks.1:out")
SINK = "<|endoftext|>"
"""Put in front of every text of a causal model, whose first token is otherwise lost to attention."""
PLACES, UNTRAINED = "places alone", "an untrained copy"
STATES = ("its states", PLACES, UNTRAINED)
POLAR = "polar"
FAR = 3
Rates = Mapping[str, tuple[Float[Tensor, " texts"], Float[Tensor, " texts"]]]
"""By `LAS` and the like, of every text how many edges are right, and how many there are."""
Read = Callable[[Sample], list[Rates]]
"""A fitted probe: what it gives on texts, layer by layer."""


class Texts(NamedTuple):
    train: Sample
    dev: Sample
    test: Sample

    def at(self, layer: int) -> "Texts":
        return Texts(*(sample.at([layer]) for sample in self))


# Probes: each of a sample, a setting and a generator


def fit_angles(train: Sample, setting: tuple, generator: Generator, *, fitting: Fitting) -> Read:
    """Polar: a setting is an angle loss and its weight."""
    angle, weight = setting
    probes = fit_polar(train, angle=angle, weights=[weight] * len(train.states), fitting=fitting, generator=generator)
    return partial(of_prototypes, probes)


def fit_distances(train: Sample, setting: float, generator: Generator, *, fitting: Fitting) -> Read:
    """The same without an angle loss: a setting is the weight of the root loss."""
    none = [0.0] * len(train.states)
    probes = fit_polar(train, angle="prototype", weights=none, beta=setting, fitting=fitting, generator=generator)
    return partial(of_prototypes, probes)


def fit_classifier(train: Sample, setting: float, generator: Generator, *, fitting: Fitting) -> Read:
    """A setting is a factor of the learning rate."""
    rank = fitting.rank - len(train.relations) - 1
    assert rank > 0, "the classifier leaves columns for distances"
    smaller = replace(fitting, rank=rank, learning_rate=setting * fitting.learning_rate)
    probes = fit_depprobe(train, fitting=smaller, generator=generator)
    return lambda sample: [counted(one) for one in score(probes, sample, how="depprobe")]


def fit_depths(train: Sample, setting: float, generator: Generator, *, fitting: Fitting) -> Read:
    """A setting is the share of the columns that is given to depths."""
    deep = max(1, round(setting * fitting.rank))
    distance = fit_distance(train, fitting=replace(fitting, rank=fitting.rank - deep), generator=generator)
    depth = fit_depth(train, fitting=replace(fitting, rank=deep), generator=generator)
    return partial(of_depths, distance, depth, usual_relations(train))


PROBES: Mapping[str, tuple[Callable[..., Read], tuple]] = {
    POLAR: (fit_angles, (CANDIDATES[2], *(one for one in CANDIDATES if one != CANDIDATES[2]))),
    "distance": (fit_distances, (0.01, 0.1, 1.0, 10.0)),
    "distance, depth": (fit_depths, (0.5, 0.125, 0.25, 0.75)),
    "distance, classifier": (fit_classifier, (1.0, 0.5, 2.0, 4.0)),
}
"""How each is fitted, and its settings, the first of which chooses the layer."""


# Decoding


def counted(scored: ScoredEdges) -> Rates:
    return {rate: scored.counts(rate) for rate in ("UAS", "LAS")}


def of_prototypes(probes: Probes, sample: Sample) -> list[Rates]:
    """As legal trees, and edge by edge as published."""
    ways: tuple[How, How] = ("legal", "edges")
    legal, edges = (score(probes, sample, how=how) for how in ways)
    return [counted(one) | {"edge by edge": other.counts("LAS")} for one, other in zip(legal, edges, strict=True)]


def usual_relations(train: Sample) -> Int[Tensor, " places"]:
    """The most frequent relation between a dependent and a head so many places behind it, from `-FAR` to `FAR`."""
    counts = torch.zeros(2 * FAR + 1, max(1, len(train.relations)))
    for target in train.targets:
        known = target.relations >= 0
        head, dependent = target.edges[known].unbind(1)
        counts.index_put_((_apart(head, dependent), target.relations[known]), torch.ones(len(head)), accumulate=True)
    return counts.argmax(1)


def _apart(head: Int[Tensor, " e"], dependent: Int[Tensor, " e"]) -> Int[Tensor, " e"]:
    return (head - dependent).clamp(-FAR, FAR) + FAR


def of_depths(distance: Probes, depth: Probes, usual: Int[Tensor, " places"], sample: Sample) -> list[Rates]:
    """Spanning trees, every edge from the less deep end, with the usual relation of words so far apart."""
    right = torch.zeros(len(distance), 2, len(sample), dtype=torch.float64)
    total = torch.zeros(len(sample), dtype=torch.float64)
    for batch in in_order(sample, 64):
        apart = squared_distances(distance.vectors(sample, batch))
        norms = depth.vectors(sample, batch).square().sum(-1)
        place, head, dependent = batch.edges.unbind(1)
        total.index_add_(0, batch.texts[place], torch.ones(len(place), dtype=torch.float64))
        for p in range(len(distance)):
            text, one, other = spanning_forest(apart[p], batch.real).unbind(1)
            found = torch.zeros(apart[p].shape, dtype=torch.bool)
            found[text, one, other] = found[text, other, one] = True
            directed = found[place, head, dependent] & (norms[p, place, head] < norms[p, place, dependent])
            labelled = directed & (usual[_apart(head, dependent)] == batch.relations)
            for k, hits in enumerate((directed, labelled)):
                right[p, k].index_add_(0, batch.texts[place], hits.double())
    return [{"UAS": (one[0], total), "LAS": (one[1], total)} for one in right]


# The comparison


def rate(rates: Rates, name: str = "LAS") -> float:
    right, total = rates[name]
    return float(right.sum() / total.sum())


@dataclass(frozen=True)
class Judged:
    """One probe on test texts: the layer and setting that dev texts chose, and by rate what every text contributes, fit by
    fit."""

    layer: int
    setting: object
    units: Mapping[str, Float[Tensor, "fits texts"]]


def judged(name: str, texts: Texts, *, fitting: Fitting, fits: int, rng: Random) -> Judged:
    """Choose on dev texts, then fit anew and score on test texts."""
    fit, settings = PROBES[name]
    las = [rate(one) for one in fit(texts.train, settings[0], rng("search"), fitting=fitting)(texts.dev)]
    layer = max(range(len(las)), key=lambda k: (las[k], -k))
    at, tried = texts.at(layer), [las[layer]]
    for k, setting in enumerate(settings[1:]):
        tried.append(rate(fit(at.train, setting, rng("search", k), fitting=fitting)(at.dev)[0]))
    setting = settings[max(range(len(tried)), key=lambda k: (tried[k], -k))]
    found = [fit(at.train, setting, rng("fit", k), fitting=fitting)(at.test)[0] for k in range(fits)]
    return Judged(layer, setting, {of: torch.stack([influence(*one[of]) for one in found]) for of in found[0]})


def compare(texts: Texts, *, fitting: Fitting, fits: int, rng: Random) -> dict[str, Judged]:
    """Every probe, with the same generators."""
    return {name: judged(name, texts, fitting=fitting, fits=fits, rng=rng) for name in PROBES}


def table(found: Mapping[str, Judged], layers: Sequence[str], where: str) -> list[str]:
    """A row for each probe: its rates, and how far the polar probe is above it."""
    lines, own = [], found[POLAR].units["LAS"]
    for name, one in found.items():
        las = one.units["LAS"]
        again = f"{float(one.units['edge by edge'].mean()):.3f}" if "edge by edge" in one.units else "-"
        above = "-" if name == POLAR else f"{shown(own - las, -1.0)}, p {fitted_p(own, las):.2g}"
        cells = [where, name, layers[one.layer], str(one.setting), f"{float(one.units['UAS'].mean()):.3f}", shown(las), again]
        lines.append(f"| {' | '.join([*cells, above])} |")
    return lines


def shown(units: Float[Tensor, "fits texts"], least: float = 0.0) -> str:
    interval = fitted_interval(units, bounds=(least, 1.0))
    ends = "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
    return f"{float(units.mean()):.3f}{ends}"


def texts_of(encoder: Encoder, graphs: Mapping[str, Sequence[Graph]]) -> Texts:
    """States of the texts of every split."""
    encoded = {split: encode(encoder, some) for split, some in graphs.items()}
    relations = relations_of([graphs["train"][k] for k in encoded["train"].kept])
    return Texts(*(sample_of(encoded[split], graphs[split], relations) for split in ("train", "dev", "test")))


def causal_model(folder: Path, task: GivesGraphs) -> tuple[Subject, Encoder]:
    """A model of a folder, with the sink in front of every text."""
    from tokenizers.processors import TemplateProcessing

    subject, tokenizer = load_hugging_face(folder, task=task), load_tokenizer(folder)  # pyrefly: ignore[bad-argument-type]
    sink = tokenizer.convert_tokens_to_ids(SINK)
    front = TemplateProcessing(single=f"{SINK} $A", special_tokens=[(SINK, sink)])
    tokenizer.backend_tokenizer.post_processor = front
    return subject, HuggingFaceEncoder(subject.module, tokenizer, layers=LAYERS)


def language_network(seed: int, folder: Path) -> tuple[GivesGraphs, Subject, Encoder]:
    """A transformer that has read the language."""
    recipe = recipe_of(seed, "language")
    task = assay.load_task(recipe.task)
    assert isinstance(task, GivesGraphs)
    assert isinstance(task, FeedsGraphs)
    fresh = lambda generator: build("transformer", task, generator=generator, width=recipe.width)  # noqa: E731
    subject = Subject(pretrained(seed, folder), name=f"language, seed {seed}", fresh=fresh)
    return task, subject, FedEncoder(subject, task, sites=SITES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="of a causal language model")
    parser.add_argument("--language", type=Path, help="where weights of `pretraining.py` are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the language")
    parser.add_argument("--texts", type=int, nargs=3, default=[600, 150, 300], metavar=("TRAIN", "DEV", "TEST"))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--fits", type=int, default=3)
    parser.add_argument("--states", nargs="+", default=STATES, choices=STATES)
    given = parser.parse_args()
    torch.set_num_threads(1)
    networks = [language_network(seed, given.language) for seed in given.seeds] if given.language else []
    if given.folder:
        task = assay.load_task(TREEBANK)
        assert isinstance(task, GivesGraphs)
        networks.append((task, *causal_model(given.folder, task)))
    heads = ("states", "probe", "layer", "setting", "UAS", "LAS", "edge by edge", "polar less this")
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for task, subject, encoder in networks:
        start, rng = time.process_time(), Random(0, "labels")
        splits = zip(("train", "dev", "test"), given.texts, strict=True)
        graphs = {split: task.graphs(split, num, generator=rng(split)) for split, num in splits}
        own: Texts | None = None
        for name in given.states:
            read = encoder.on(subject.untrained(rng("copy", 0))) if name == UNTRAINED else encoder
            if name == UNTRAINED:
                texts = texts_of(read, graphs)
            else:
                texts = own = own or texts_of(read, graphs)
            rank, layers = min(64, texts.train.states.shape[2] // 2), read.layers
            if name == PLACES:
                texts, layers = Texts(*(positions(sample) for sample in texts)), ("-",)
            found = compare(texts, fitting=Fitting(rank=rank, epochs=given.epochs), fits=given.fits, rng=rng)
            print("\n".join(table(found, layers, f"{subject.name}: {name}")), flush=True)
        sizes = ", ".join(f"{len(sample)} {split}" for split, sample in zip(Texts._fields, texts, strict=True))
        print(f"{subject.name}: {sizes}; rank {rank}; CPU s {time.process_time() - start:.0f}", flush=True)


if __name__ == "__main__":
    main()
