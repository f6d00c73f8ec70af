"""The polar probe on lists: do distance and angle encode which entity has which attribute, also in untrained pairs?

Run `python experiments/binding_polar.py`. Networks of one and of two layers are trained on the task `lists` as in
`binding_lists.py`. The graph of a list has an edge from the list to each of its entities, and from each entity to its
attribute, after Diego-Simon et al. 2026 (arXiv 2605.14125). In every list an entity is next to its attribute, so that positions
alone would give the graph. The node of an entity is therefore the state at the last token of the query for it, the same
position for all entities; the node of an attribute is the state at its own token, that of the list the state at the token
before the query.

Probes (`assay.instruments.polar`) are fitted at every site on lists of trained pairs, and evaluated on other lists of trained
pairs and on lists whose pairs are all new. The script prints the share of the edges from an entity to its attribute that are
recovered by distance (minimum spanning tree), and by distance and angle (arborescence, with the relation), with the interval
over lists. The nulls are positions, probes fitted to graphs in which the attributes of each list are permuted, states without a
probe, and untrained copies with their own probes. The last column is the score of the second rate, 0 at the best null and 1
where all edges are recovered. Processor time, one thread.
"""

import argparse
import time
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.entities import Contexts, ListsEntities, Pairs
from assay.graph import Graph
from assay.instruments.binding.asked import ask, logits, right
from assay.instruments.binding.scores import normalised
from assay.instruments.polar.fit import Fitting, Probes, fit_distance, fit_polar, unfitted
from assay.instruments.polar.scores import score
from assay.instruments.polar.search import positions
from assay.instruments.polar.targets import Sample, Target
from assay.models import build
from assay.stats import cluster_means, mean_interval
from assay.subject import Subject
from assay.tasks import load_task
from assay.training import TrainingConfig, fit
from experiments.binding_lists import RECIPES, TASK

RELATIONS = ("has", "lists")
WEIGHT, EPOCHS = 1.0, 40
"""Of the angle loss and of every fit, the same for all networks and nulls: with these the graph of constructed states that hold
it is found whole, and nothing is chosen by a network's figures."""
JUDGED: tuple[Pairs, ...] = ("trained", "all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--layers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=float, default=1.0, help="factor of the number of steps of every network")
    parser.add_argument("--size", type=int, default=3)
    parser.add_argument("--contexts", type=int, default=300)
    parser.add_argument("--copies", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    task = load_task(TASK)
    drawn = {
        name: task.contexts(given.contexts, size=given.size, pairs=pairs, generator=Generator().manual_seed(k))
        for k, (name, pairs) in enumerate((("fitted", "trained"), *((pairs, pairs) for pairs in JUDGED)))
    }
    for depth, steps in RECIPES:
        for seed in given.seeds if depth in given.layers else ():
            start = time.process_time()

            def fresh(generator: Generator, depth: int = depth) -> torch.nn.Module:
                return build("transformer", task, generator=generator, width=64, depth=depth)

            module = fresh(Generator().manual_seed(seed))
            config = TrainingConfig(steps=round(given.steps * steps), batch_size=64, learning_rate=4e-3, seed=seed)
            fit(module, task, config=config)
            trained = time.process_time()
            told(Subject(module, fresh=fresh, name=f"{depth} layers, seed {seed}"), task, drawn, given.copies)
            print(f"{trained - start:.0f} s trained, {time.process_time() - trained:.0f} s read", flush=True)


def told(network: Subject, task: ListsEntities, drawn: dict[str, Contexts], num: int) -> None:
    """One row of the table for every site and kind of lists."""
    sites = ["embedding:out", *(f"blocks.{k}:out" for k in range(len(network.module.blocks)))]  # pyrefly: ignore
    own = {name: nodes(network, task, contexts, sites) for name, contexts in drawn.items()}
    copies = [network.untrained(Generator().manual_seed(100 + k)) for k in range(num)]
    of_copies = [{name: nodes(copy, task, contexts, sites) for name, contexts in drawn.items()} for copy in copies]
    found = {"network": bound(own)}
    found["positions"] = bound({name: positions(sample) for name, sample in own.items()})
    found["permuted graphs"] = bound(own | {"fitted": permuted(own["fitted"])})
    found["no probe"] = bound(own, probed=False)
    each = [bound(samples) for samples in of_copies]
    found["untrained copies"] = {key: torch.stack([one[key] for one in each]).mean(0) for key in each[0]}
    print(f"\n{network.name}\n| site | pairs | answered | distance | distance and angle | {' | '.join([*found][1:])} | score |")
    for k, site in enumerate(sites):
        for pairs in JUDGED:
            asked = ask(task, drawn[pairs], drawn[pairs].entities)
            answered = right(logits(network, asked), asked).float().mean(1)
            # Positions are the same at every site.
            nulls = {name: units[pairs, "legal"][min(k, len(units[pairs, "legal"]) - 1)] for name, units in found.items()}
            observed = nulls.pop("network")
            cells = [answered, found["network"][pairs, "edges"][k], observed, *nulls.values()]
            value = normalised(observed, nulls)
            said = value.reason if value.value is None or value.interval is None else (
                f"{value.value:.2f} [{value.interval.low:.2f}, {value.interval.high:.2f}] over {value.best}"
            )  # fmt: skip
            print(f"| {site} | {pairs} | {' | '.join(shown(units) for units in cells)} | {said} |", flush=True)


def nodes(network: Subject, task: ListsEntities, contexts: Contexts, sites: list[str]) -> Sample:
    """States of the list, of its entities at their queries and of its attributes at their tokens, with their graph. States of
    tokens before the query are means over the queries of one list."""
    asked = ask(task, contexts, contexts.entities)
    found = network.read(asked.written.inputs, sites)
    states = torch.stack([found[site] for site in sites]).unflatten(1, asked.entities.shape)
    at, (num, size) = asked.written.attribute_at[:: contexts.size], asked.entities.shape
    rows = torch.arange(num)[:, None]
    before = states.mean(2)
    drawn = torch.cat([before[:, :, -2:-1], states[:, :, :, -1], before[:, rows, at]], 2)
    length = states.shape[3]
    graphs = [graph(length, places) for places in at.tolist()]
    starts = torch.arange(num + 1) * (2 * size + 1)
    return Sample(drawn.flatten(1, 2), starts, tuple(Target.of(one, RELATIONS) for one in graphs), RELATIONS)


def graph(length: int, places: list[int]) -> Graph:
    """The graph of a list: edges from the list to its entities, all mentioned by the last word, and on to their attributes at
    `places`."""
    size = len(places)
    edges = [(0, 1 + k, "lists") for k in range(size)] + [(1 + k, 1 + size + k, "has") for k in range(size)]
    mentions = ((length - 2,), *((length - 1,) for _ in places), *((place,) for place in places))
    return Graph(words=("word",) * length, mentions=mentions, edges=tuple(edges), punctuation=(False,) * len(mentions))


def permuted(sample: Sample) -> Sample:
    """The lists with the attributes of each assigned to other entities at random."""
    generator, graphs = Generator().manual_seed(0), []
    for one in sample.graphs:
        size = len(one) // 2
        order = torch.randperm(size, generator=generator).tolist()
        had = [(1 + k, 1 + size + order[k], "has") for k in range(size)]
        graphs.append(replace(one, edges=(*one.edges[:size], *had)))
    return sample.asked_for(graphs)


def bound(samples: dict[str, Sample], *, probed: bool = True) -> dict[tuple[str, str], Float[Tensor, "sites lists"]]:
    """For every list the share of edges from an entity to its attribute that are recovered, by kind of pairs and decoding."""
    fitted, generator = samples["fitted"], Generator().manual_seed(0)
    fitting = Fitting(rank=min(32, fitted.states.shape[2] // 2), epochs=EPOCHS)
    probes: dict[str, Probes] = {}
    if probed:
        weights = [WEIGHT] * len(fitted.states)
        probes["edges"] = fit_distance(fitted, fitting=fitting, generator=generator)
        probes["legal"] = fit_polar(fitted, angle="prototype", weights=weights, fitting=fitting, generator=generator)
    else:
        probes["edges"] = probes["legal"] = unfitted(fitted, None, generator=generator)
    found = {}
    for pairs in JUDGED:
        for how, rate in (("edges", 0), ("legal", 2)):  # in either direction; with direction and relation
            scored = score(probes[how], samples[pairs], how=how)
            has = [one.relation == RELATIONS.index("has") for one in scored]
            edges = zip(scored, has, strict=True)
            found[pairs, how] = torch.stack(
                [cluster_means(one.right[rate, at].float(), one.text[at]).means for one, at in edges]
            )
    return found


def shown(units: Tensor) -> str:
    interval = mean_interval(units, bounds=(0.0, 1.0))
    assert interval is not None
    return f"{float(units.mean()):.3f} [{interval.low:.3f}, {interval.high:.3f}]"


if __name__ == "__main__":
    main()
