"""Trees planted in states: a map of theirs has the path lengths for squared distances, and a direction for every relation."""

import torch
from torch import Generator

from assay.graph import Graph, relations_of, tree
from assay.instruments.polar.targets import Sample, Target

RELATIONS = ("subject", "object", "modifier")


def random_tree(n: int, generator: Generator, *, punctuation: bool = False) -> Graph:
    """Any labelled shape: every node hangs on one drawn before it, and the order of words is drawn too."""
    place = torch.randperm(n, generator=generator).tolist()
    head, relation = [-1] * n, ["root"] * n
    for k in range(1, n):
        head[place[k]] = place[int(torch.randint(k, (1,), generator=generator))]
        relation[place[k]] = RELATIONS[int(torch.randint(len(RELATIONS), (1,), generator=generator))]
    flags = [punctuation and k == n - 1 and k != place[0] for k in range(n)]
    return tree([f"w{k}" for k in range(n)], head, relation=relation, punctuation=flags)


def planted_states(graph: Graph, room: int) -> torch.Tensor:
    """`(n, room * relations)`: along every edge one step, in a dimension of its own within the block of its relation.

    So squared distances are path lengths, and edges of one relation share no direction but their block.
    """
    states = torch.zeros(len(graph), len(RELATIONS) * room)
    todo = [graph.head.index(-1)]
    while todo:
        node = todo.pop()
        for child, head in enumerate(graph.head):
            if head == node:
                states[child] = states[node]
                states[child, RELATIONS.index(graph.relation[child]) * room + child] -= 1
                todo.append(child)
    return states


def planted(num: int, *, sizes: tuple[int, int] = (3, 9), seed: int = 0, noise: float = 0.0, mixed: bool = True) -> Sample:
    """Trees with the states of every node, behind a random rotation and beside as many dimensions of noise."""
    generator = Generator().manual_seed(seed)
    low, high = sizes
    lengths = torch.randint(low, high + 1, (num,), generator=generator).tolist()
    graphs = [random_tree(n, generator) for n in lengths]
    states = torch.cat([planted_states(graph, high) for graph in graphs]) if graphs else torch.zeros(0, 3 * high)
    if mixed:
        states = torch.cat([states, noise * torch.randn(states.shape, generator=generator)], 1)
        width = states.shape[1]
        states = states @ torch.linalg.qr(torch.randn(width, width, generator=Generator().manual_seed(9))).Q
    return sample_of_trees(graphs, states[None])


def sample_of_trees(graphs: list[Graph], states: torch.Tensor) -> Sample:
    relations = RELATIONS if {name for graph in graphs for name in graph.relations} <= set(RELATIONS) else relations_of(graphs)
    starts = torch.tensor([0, *torch.tensor([len(graph) for graph in graphs], dtype=torch.int64).cumsum(0).tolist()])
    return Sample(states, starts, tuple(Target.of(graph, relations) for graph in graphs), relations)
