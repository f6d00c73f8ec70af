"""Contexts with their queries as a network reads them, and its answers: logits, accuracy and the paired contrast."""

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

    - `entities`: `(n, q)`, the queried entities.
    - `written`: one row for each query; row `q i + j` is query j of context i.
    - `outputs`: for each attribute, the index of the network's output that means it.
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
        """The position of each attribute in its list; the length of the list where the attribute is not listed."""
        listed = self.contexts.attributes[:, None] == attribute[..., None]
        return torch.where(listed.any(2), listed.long().argmax(2), self.contexts.size)


def ask(task: ListsEntities, contexts: Contexts, entities: Int[Tensor, "n q"]) -> Asked:
    """Write one query for each of the given `entities` of every context."""
    rows = torch.arange(len(contexts)).repeat_interleave(entities.shape[1])
    return Asked(contexts, entities, task.write(contexts.take(rows), entities.flatten()), task.answers)


def unlisted(contexts: Contexts, num_entities: int, *, num: int, generator: torch.Generator) -> Int[Tensor, "n num"]:
    """For each context, `num` entities drawn at random from those that are not in its list."""
    taken = torch.zeros(len(contexts), num_entities).scatter_(1, contexts.entities, 2.0)
    return (torch.rand(taken.shape, generator=generator) + taken).argsort(1)[:, :num]


def logits(network: Subject, asked: Asked) -> Float[Tensor, "n q attributes"]:
    """The network's logit of every attribute, for every query."""
    return network(asked.written.inputs)[:, asked.outputs].float().unflatten(0, asked.entities.shape)


def own_attribute(asked: Asked) -> Int[Tensor, "n q"]:
    """The attribute of every queried entity, -1 where it is not in the list."""
    same = asked.contexts.entities[:, None] == asked.entities[..., None]
    place = same.long().argmax(2)
    return torch.where(same.any(2), asked.contexts.attributes.gather(1, place), -1)


def right(said: Float[Tensor, "n q attributes"], asked: Asked) -> Bool[Tensor, "n q"]:
    """Whether the network answers with the attribute of the queried entity. A tie for the largest logit counts as wrong."""
    best = said.amax(2, keepdim=True)
    alone = (said == best).sum(2) == 1
    return (said.argmax(2) == own_attribute(asked)) & alone


def listed(said: Float[Tensor, "n q attributes"], contexts: Contexts) -> Float[Tensor, "n q k"]:
    """The logits of the listed attributes alone, in the order of the list."""
    index = contexts.attributes[:, None].expand(-1, said.shape[1], -1)
    return said.gather(2, index)


def contrast(said: Float[Tensor, "n k k"]) -> Float[Tensor, " n"]:
    """Paired contrast: the share of pairs of positions i < j with `said[i, i] - said[i, j] - said[j, i] + said[j, j] > 0`.

    `said[n, q, p]` is the logit, under query q, of the attribute at position p of list n. A pair at exactly 0 counts one half.

    A preference for a position or an attribute that does not depend on the query cancels. Chance is .5.

    Example::

        assert contrast(torch.eye(3)[None]).tolist() == [1.0]
    """
    own = said.diagonal(dim1=1, dim2=2)
    found = own[:, :, None] + own[:, None] - said - said.mT
    first, second = torch.triu_indices(said.shape[1], said.shape[1], offset=1)
    return ((found[:, first, second].sign() + 1) / 2).mean(1)
