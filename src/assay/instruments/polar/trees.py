"""Trees over predicted distances: the minimum spanning tree of a batch, and the best legal directed tree of one text."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def spanning_trees(distances: Float[Tensor, "b n n"], real: Bool[Tensor, "b n"]) -> Int[Tensor, "b n"]:
    """Minimum spanning trees of many texts at once (Prim's algorithm, one step for all).

    **Returns:** for every node the one that it was joined to, -1 for the first real node, which was there at the start, and
    for nodes that are not real.
    """
    num, longest = real.shape
    texts = torch.arange(num)
    parent = torch.full((num, longest), -1)
    if not longest:
        return parent
    start = real.to(torch.uint8).argmax(1)
    outside = real.clone()
    outside[texts, start] = False
    nearest, through = distances[texts, start].clone(), start[:, None].expand(-1, longest).clone()
    for _ in range(longest - 1):
        if not outside.any():
            break
        new = torch.where(outside, nearest, torch.inf).argmin(1)
        joins = outside[texts, new]
        parent[texts[joins], new[joins]] = through[texts[joins], new[joins]]
        outside[texts[joins], new[joins]] = False
        closer = (distances[texts, new] < nearest) & joins[:, None]
        nearest = torch.where(closer, distances[texts, new], nearest)
        through = torch.where(closer, new[:, None], through)
    return parent


def arborescence(scores: Float[Tensor, "n n"], roots: Float[Tensor, " n"]) -> list[int]:
    """The directed tree with one root of the largest total score (Chu and Liu 1965; Edmonds 1967).

    **Arguments:** `scores` `[h, d]` of the edge from head `h` to dependent `d`; `roots` of every node as the root.

    **Returns:** the head of every node, -1 for the root. It is always a tree.
    """
    num = len(roots)
    if num <= 1:
        return [-1] * num
    table, starts = scores.double().numpy(), roots.double().numpy()
    # One root: an artificial node leads to every node, at a price so high that it is paid once.
    price = 4 * num * max(np.ptp(table), np.ptp(starts), 1.0)
    joined = np.full((num + 1, num + 1), -np.inf)
    joined[1:, 1:], joined[0, 1:] = table, starts - price
    np.fill_diagonal(joined, -np.inf)
    return [head - 1 for head in _edmonds(joined)[1:].tolist()]


def _edmonds(scores: np.ndarray) -> np.ndarray:
    """The head of every node `(m,)`; node 0 is the root, into which nothing leads, and its head means nothing."""
    heads = scores.argmax(0)
    cycle = _cycle(heads.tolist())
    if not cycle:
        return heads
    # The cycle becomes one node, the last. An edge into it breaks it where it enters: its score is what that gains.
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
    """Nodes of one cycle, or none; node 0 is where every path may end."""
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


def directed_from(parent: list[int], root: int) -> list[int]:
    """The undirected tree of `parent` hung up at `root`: the head of every node, -1 for the root."""
    beside: list[list[int]] = [[] for _ in parent]
    for node, other in enumerate(parent):
        if other >= 0:
            beside[node].append(other)
            beside[other].append(node)
    heads = [-1] * len(parent)
    reached, last = {root}, [root]
    while last:
        node = last.pop()
        for other in beside[node]:
            if other not in reached:
                reached.add(other)
                heads[other] = node
                last.append(other)
    return heads
