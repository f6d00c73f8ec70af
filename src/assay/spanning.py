"""Spanning trees of weighted graphs: minimum spanning trees, and maximum spanning arborescences."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def spanning_forest(distances: Float[Tensor, "b n n"], kept: Bool[Tensor, "b n"]) -> Int[Tensor, "e 3"]:
    """Minimum spanning trees of many graphs over the nodes that are `kept`: rows of graph index and two nodes, one for every
    edge.

    Example::

        places = torch.tensor([0.0, 3.0, 1.0])
        apart = (places[:, None] - places).abs()[None]
        assert spanning_forest(apart, torch.ones(1, 3, dtype=torch.bool)).tolist() == [[0, 0, 2], [0, 1, 2]]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    num, size = kept.shape
    graph, one, other = (kept[:, :, None] & kept[:, None]).triu(1).nonzero().unbind(1)
    weights = distances[graph, one, other].double().numpy() + 1  # changes no tree; scipy takes 0 as no edge
    places = (graph * size + one).numpy(), (graph * size + other).numpy()
    found = minimum_spanning_tree(coo_array((weights, places), shape=(num * size, num * size)).tocsr())
    first, second = (torch.from_numpy(ends).long() for ends in found.nonzero())
    return torch.stack([first // max(1, size), first % max(1, size), second % max(1, size)], 1)


def directed_from(pairs: Int[Tensor, "e 2"], root: int, *, num: int) -> Int[Tensor, " num"]:
    """Heads of `num` nodes in the tree of these edges directed from `root`; negative for the root and for unreachable nodes.

    Example::

        assert directed_from(torch.tensor([[0, 1], [1, 2]]), 1, num=3).tolist()[::2] == [1, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order

    table = coo_array((np.ones(len(pairs)), tuple(pairs.T.numpy())), shape=(num, num)).tocsr()
    return torch.from_numpy(breadth_first_order(table, root, directed=False)[1]).long()


def arborescence(scores: Float[Tensor, "n n"], roots: Float[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The directed spanning tree with one root and the largest total score (Chu and Liu 1965; Edmonds 1967).

    **Arguments:** `scores[h, d]`: of the edge from head `h` to dependent `d`; `roots`: of every node as the root.

    **Returns:** the head of every node, -1 for the root. It is always a tree.

    Example::

        assert arborescence(torch.tensor([[0.0, 5.0], [1.0, 0.0]]), torch.zeros(2)).tolist() == [-1, 0]
    """
    num = len(roots)
    if num <= 1:
        return torch.full((num,), -1)
    table, starts = scores.double().numpy(), roots.double().numpy()
    # An artificial node leads to every node, at a cost so high that a single such edge is chosen.
    price = 4 * num * max(np.ptp(np.append(table, starts)), 1.0)
    joined = np.full((num + 1, num + 1), -np.inf)
    joined[1:, 1:], joined[0, 1:] = table, starts - price
    np.fill_diagonal(joined, -np.inf)
    return torch.from_numpy(_edmonds(joined)[1:]).long() - 1


def _edmonds(scores: np.ndarray) -> np.ndarray:
    """The head of every node `(m,)`. Node 0 is the root, without incoming edges; its entry has no meaning."""
    heads = scores.argmax(0)
    cycle = _cycle(heads.tolist())
    if not cycle:
        return heads
    # The cycle is contracted to one node, the last. An edge into it replaces the cycle's edge to that node: its score is the
    # gain.
    num = len(scores)
    outside = np.ones(num, dtype=bool)
    outside[cycle] = False
    rest = outside.nonzero()[0]
    rows = scores[rest]
    entering = rows[:, cycle] - scores[heads[cycle], cycle]
    leaving = scores[cycle][:, rest]
    smaller = np.full((len(rest) + 1, len(rest) + 1), -np.inf)
    smaller[:-1, :-1] = rows[:, rest]
    smaller[:-1, -1], smaller[-1, :-1] = entering.max(1), leaving.max(0)
    found = _edmonds(smaller)
    for place in range(1, len(rest)):
        head = found[place]
        heads[rest[place]] = rest[head] if head < len(rest) else cycle[leaving[:, place].argmax()]
    heads[cycle[entering[found[-1]].argmax()]] = rest[found[-1]]
    return heads


def _cycle(heads: list[int]) -> list[int]:
    """Nodes of one cycle, or an empty list; node 0 is the root."""
    clear = {0}
    for start in range(1, len(heads)):
        path: list[int] = []
        node = start
        while node not in clear and node not in path:
            path.append(node)
            node = heads[node]
        if node not in clear:
            return path[path.index(node) :]
        clear.update(path)
    return []
