"""Networks on lists whose way of binding is built in."""

import functools

import torch
from torch import Generator, Tensor, nn

from assay.subject import Subject
from assay.tasks.lists import Lists

SIZES = {"num_entities": 8, "num_attributes": 8, "largest": 3}
TASK = Lists(**SIZES)
SHARP = 30.0


class Mechanism(nn.Module):
    """Every position holds its own token and a tag. The query is compared with tags, or looks its tag up first.

    - `direct`: the tag is the token before, so that an attribute carries its entity.
    - `id`: the tag is how many entities there were so far; the query finds its entity, then what has its number.
    """

    def __init__(self, task: Lists, kind: str, *, veto: Tensor | None = None):
        super().__init__()
        self.kind, self.task = kind, task
        spec = task.input_spec
        width = spec.vocab
        self.codes = nn.Parameter(torch.eye(width))
        self.keys = nn.Parameter(torch.eye(width))
        self.bound = nn.Identity()
        self.head = nn.Parameter(torch.zeros(width, task.num_attributes))
        with torch.no_grad():
            first = 3 + task.num_entities
            self.head[first:] = torch.eye(task.num_attributes)
        self.register_buffer("allowed", veto)

    def forward(self, tokens: Tensor) -> Tensor:
        own = self.codes[tokens]
        if self.kind == "id":
            is_entity = (tokens >= 3) & (tokens < 3 + self.task.num_entities)
            tag = nn.functional.one_hot(is_entity.long().cumsum(1), self.task.places + 2).to(own)
        else:
            tag = torch.cat([torch.zeros_like(own[:, :1]), own[:, :-1]], 1)
        states = self.bound(torch.cat([own, tag], 2))
        own, tag = states.split([self.codes.shape[1], tag.shape[2]], 2)
        query = own[:, -1] @ self.keys
        context, tags = own[:, :-2], tag[:, :-2]
        if self.kind == "id":
            found = (SHARP * torch.einsum("nd,ntd->nt", query, context)).softmax(1)
            query = torch.einsum("nt,ntd->nd", found, tags)
        match = (SHARP * torch.einsum("nd,ntd->nt", query, tags)).softmax(1)
        answer = torch.einsum("nt,ntd->nd", match, context) @ self.head
        if self.allowed is None:
            return answer
        # Pairs that were never trained are passed over for another listed attribute.
        listed = context.sum(1) @ self.head
        known = self.allowed[tokens[:, -1].clamp(min=3) - 3]
        return answer * known + 0.1 * listed * known


def permuted(module: Mechanism) -> Mechanism:
    """The same with the units of its codes in another order."""
    order = torch.randperm(module.codes.shape[1], generator=Generator().manual_seed(0))
    other = Mechanism(module.task, module.kind, veto=module.allowed)
    with torch.no_grad():
        other.codes.copy_(module.codes[:, order])
        other.keys.copy_(module.keys[order][:, order])
        other.head.copy_(module.head[order])
    return other


def untrained(task: Lists, kind: str, generator: Generator) -> Mechanism:
    module = Mechanism(task, kind)
    with torch.no_grad():
        for weight in module.parameters():
            weight.normal_(0, 0.3, generator=generator)
    return module


def subject(kind: str, task: Lists = TASK, *, veto: bool = False) -> Subject:
    allowed = (task.trained_with() > 0).float() if veto else None
    return Subject(Mechanism(task, kind, veto=allowed).eval(), name=kind, fresh=functools.partial(untrained, task, kind))
