"""Contexts with their queries as one network reads them, and what it answers: logits, choices, the paired contrast."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from assay.entities import Contexts, ListsEntities, Written
from assay.subject import Subject


@dataclass(frozen=True)
class Asked:
    """Contexts of one size, each with `q` queries.

    **Attributes:**

    - `entities`: `(n, q)`, the queried ones.
    - `written`: rows of one context lie together: row `q i + j` is query j of context i.
    - `outputs`: the output of the network that stands for each attribute.
    """

    contexts: Contexts
    entities: Int[Tensor, "n q"]
    written: Written
    outputs: Int[Tensor, " attributes"]

    @property
    def rows(self) -> Int[Tensor, " nq"]:
        """The context of every row."""
        return torch.arange(len(self.contexts)).repeat_interleave(self.entities.shape[1])

    def places_of(self, attribute: Int[Tensor, "n q"]) -> Int[Tensor, "n q"]:
        """Where in its list each attribute stands; as many as there are entities where it does not."""
        listed = self.contexts.attributes[:, None] == attribute[..., None]
        return torch.where(listed.any(2), listed.long().argmax(2), self.contexts.size)


def ask(task: ListsEntities, contexts: Contexts, entities: Int[Tensor, "n q"]) -> Asked:
    """The contexts, each with a query for every one of its `entities`."""
    rows = torch.arange(len(contexts)).repeat_interleave(entities.shape[1])
    return Asked(contexts, entities, task.write(contexts.take(rows), entities.flatten()), task.answers)


def unlisted(contexts: Contexts, num_entities: int, *, num: int, generator: torch.Generator) -> Int[Tensor, "n num"]:
    """So many entities that are not in the list, for each context."""
    taken = torch.zeros(len(contexts), num_entities).scatter_(1, contexts.entities, 2.0)
    return (torch.rand(taken.shape, generator=generator) + taken).argsort(1)[:, :num]


def logits(network: Subject, asked: Asked) -> Float[Tensor, "n q attributes"]:
    """What the network says of every attribute."""
    return network(asked.written.inputs)[:, asked.outputs].float().unflatten(0, asked.entities.shape)


def own_attribute(asked: Asked) -> Int[Tensor, "n q"]:
    """The attribute of every queried entity, -1 where it is not in the list."""
    same = asked.contexts.entities[:, None] == asked.entities[..., None]
    place = same.long().argmax(2)
    return torch.where(same.any(2), asked.contexts.attributes.gather(1, place), -1)


def right(said: Float[Tensor, "n q attributes"], asked: Asked) -> Bool[Tensor, "n q"]:
    """Whether the attribute of the queried entity is answered. Attributes that are said equally are no answer."""
    best = said.amax(2, keepdim=True)
    alone = (said == best).sum(2) == 1
    return (said.argmax(2) == own_attribute(asked)) & alone


def listed(said: Float[Tensor, "n q attributes"], contexts: Contexts) -> Float[Tensor, "n q k"]:
    """Of the attributes in the list alone, in its order."""
    index = contexts.attributes[:, None].expand(-1, said.shape[1], -1)
    return said.gather(2, index)


def contrast(said: Float[Tensor, "n k k"]) -> Float[Tensor, " n"]:
    """Paired contrast: with `said[i, q, p]` what query q says of the attribute at place p, the share of pairs of places i < j
    with `said[i, i] - said[i, j] - said[j, i] + said[j, j] > 0`; half for those at 0.

    A preference for a position or an attribute that does not depend on the query cancels. Chance is .5.

    Example::

        assert contrast(torch.eye(3)[None]).tolist() == [1.0]
    """
    own = said.diagonal(dim1=1, dim2=2)
    found = own[:, :, None] + own[:, None] - said - said.mT
    first, second = torch.triu_indices(said.shape[1], said.shape[1], offset=1)
    return ((found[:, first, second].sign() + 1) / 2).mean(1)
