"""A task whose texts tell their own trees, and a network that works out the planted states of these trees exactly."""

import dataclasses

import torch
from polar_for_tests import RELATIONS, random_tree
from torch import Generator, Tensor, nn

from assay.graph import FedTokens, Graph
from assay.objective import Classification, Unscored
from assay.subject import Subject
from assay.task import Examples, Part, Task, Tokens

LONGEST = 6
WIDTH = 48


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


class Trees(Task):
    """Every text tells its own tree: the token of a node is its head's place and its relation. The answer is the
    relation of the first node that has a head."""

    address = "trees"
    parts = (Part("relation", RELATIONS),)
    combines = ("relation",)
    input_spec = Tokens(LONGEST * len(RELATIONS) + 1, LONGEST)

    def __init__(self, num: int = 200, *, answered: bool = True):
        self.num = num
        self.objective = Classification(len(RELATIONS)) if answered else Unscored()

    def combinations(self, split):
        return torch.arange(3)[:, None] if split != "novel" else torch.zeros(0, 1, dtype=torch.int64)

    def graphs(self, split, n, *, generator):
        offset = {"train": 0, "dev": 10_000, "test": 20_000}[split]
        return tuple(self._tree(offset + k) for k in range(min(n, self.num)))

    def _tree(self, seed: int) -> Graph:
        graph = random_tree(LONGEST, seeded(seed))
        code = {node: 1 + head * len(RELATIONS) + RELATIONS.index(name) for head, node, name in graph.edges}
        return dataclasses.replace(graph, words=tuple(str(code.get(node, 0)) for node in range(LONGEST)))

    def feed(self, graphs):
        tokens = torch.tensor([[int(word) for word in graph.words] for graph in graphs], dtype=torch.int64)
        return FedTokens({"tokens": tokens.view(-1, LONGEST)}, torch.arange(LONGEST).expand(len(graphs), -1).clone())

    def examples(self, split, n, *, generator):
        graphs = [self._tree(40_000 + k) for k in range(n)]
        firsts = [next(name for name in graph.relation if name in RELATIONS) for graph in graphs]
        value = torch.tensor([RELATIONS.index(name) for name in firsts], dtype=torch.int64)
        return Examples(self.feed(graphs).inputs, value, {"relation": value}, torch.arange(n))


class Knowing(nn.Module):
    """Works out the planted states of a tree from its tokens, exactly, and reads its answer from them."""

    def __init__(self, *, knows: bool = True, generator: Generator | None = None, order: Tensor | None = None):
        super().__init__()
        self.knows = knows
        self.states = nn.Identity()
        self.order = torch.arange(WIDTH) if order is None else order  # of the units at `states`, back in place behind it
        codes = torch.randn(LONGEST * len(RELATIONS) + 1, WIDTH, generator=generator or seeded())
        self.codes = nn.Parameter(codes / 2, requires_grad=False)

    def forward(self, tokens: Tensor) -> Tensor:
        codes = torch.where(tokens > 0, tokens - 1, 0)
        head = torch.where(tokens > 0, codes // len(RELATIONS), -1)
        relation = codes % len(RELATIONS)
        steps = torch.zeros(*tokens.shape, LONGEST * len(RELATIONS))
        place = torch.arange(LONGEST).expand_as(tokens)
        steps.scatter_(2, (relation * LONGEST + place)[..., None], -1.0)
        steps = steps * (tokens > 0)[..., None]
        total, above = steps.clone(), head
        for _ in range(LONGEST - 1):
            reached = above.clamp(min=0)
            total = total + steps.gather(1, reached[..., None].expand_as(steps)) * (above >= 0)[..., None]
            above = torch.where(above >= 0, head.gather(1, reached), -1)
        used = total.shape[-1]
        code = self.codes[tokens] * (0.05 if self.knows else 1)
        x = torch.cat([total + code[..., :used], code[..., used:]], -1) if self.knows else code
        x = self.states(x[..., self.order])[..., self.order.argsort()]
        x = x[..., :used]
        own = x - x.gather(1, head.clamp(min=0)[..., None].expand_as(x))
        by_relation = -own.unflatten(-1, (len(RELATIONS), LONGEST)).sum(-1)
        first = (tokens > 0).int().argmax(1)
        return by_relation[torch.arange(len(tokens)), first]


def subject(*, knows: bool = True) -> Subject:
    return Subject(Knowing(knows=knows), fresh=lambda generator: Knowing(knows=False, generator=generator))
