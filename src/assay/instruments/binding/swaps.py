"""Interchange of states in lists: patches from another context, swaps within one, and the mechanism they point to.

After Feng and Steinhardt 2023 (arXiv 2310.17191): the states at the tokens of an entity or attribute are exchanged at one site
through which all of the input passes. A signature names a mechanism and is no verdict: networks that bind and networks that
imitate binding can share it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.entities import Contexts, ListsEntities
from assay.instruments.binding.asked import Asked, ask, listed, logits
from assay.site import thinned
from assay.subject import Subject

Patch = Literal["attribute", "entity", "both", "unrelated token", "random vector"]
PATCHES: tuple[Patch, ...] = ("attribute", "entity", "both", "unrelated token", "random vector")
NULL_PATCHES: tuple[Patch, ...] = ("unrelated token", "random vector")
QUERIES = ("the target's entity", "the source's entity", "another entity")
ANSWERS = ("the target's", "the source's", "another listed", "none of these")
Swap = Literal["attributes", "entities", "both", "unrelated tokens"]
SWAPS: tuple[Swap, ...] = ("attributes", "entities", "both", "unrelated tokens")
_SWAPPED: Mapping[Swap, tuple[str, ...]] = {
    "attributes": ("attribute_at",),
    "entities": ("entity_at",),
    "both": ("entity_at", "attribute_at"),
    "unrelated tokens": ("unrelated_at",),
}
Signature = Literal["ID-like", "direct", "ID-like and direct", "lexical or none", "not localised"]
_FEW = 16
_HALF = 0.5
_MOVED = 0.2
"""A patch has localised something if it changes this share of answers more than the nulls do."""


@dataclass(frozen=True)
class Pairing:
    """Target contexts, each with a source that shares none of its entities and attributes, both with the queries `QUERIES`.

    `altered` holds the target's attributes from the second on, at the same positions, with other entities.
    """

    target: Asked
    source: Asked
    altered: Asked


def pairing(task: ListsEntities, contexts: Contexts, others: Contexts) -> Pairing:
    """Pair every context with the next of `others` that shares no entity or attribute; contexts without a partner are left
    out."""
    num = len(contexts)
    shared = (contexts.entities[:, None, :, None] == others.entities[None, :, None]).flatten(2).any(2)
    shared |= (contexts.attributes[:, None, :, None] == others.attributes[None, :, None]).flatten(2).any(2)
    turned = (torch.arange(num)[:, None] + torch.arange(len(others))) % max(1, len(others))
    apart = ~shared.gather(1, turned)
    kept = apart.any(1).nonzero()[:, 0]
    partner = turned[kept, apart[kept].long().argmax(1)]
    target, source = contexts.take(kept), replace(others.take(partner), start=contexts.start[kept])
    queries = torch.stack([target.entities[:, 0], source.entities[:, 0], target.entities[:, -1]], 1)
    altered = Contexts(source.entities[:, 1:], target.attributes[:, 1:], target.start + 1, torch.zeros_like(target.queried))
    return Pairing(ask(task, target, queries), ask(task, source, queries), ask(task, altered, altered.entities[:, :1]))


def stream(network: Subject, asked: Asked, other: Asked, *, most: int) -> list[str]:
    """The sites of the residual stream: one vector for every token, and all of the input passes through.

    A site qualifies if patching all its states from another input gives the outputs of that input. At most `most` sites, in
    order of execution.
    """
    few = {name: column[:_FEW] for name, column in asked.written.inputs.items()}
    others = {name: column[:_FEW] for name, column in other.written.inputs.items()}
    length = next(iter(few.values())).shape[1]
    fitting = [s for s in network.sites(few) if len(s.shape) == 2 and s.shape[0] == length and s.calls == 1]
    wanted = network(others)
    found = []
    for site in fitting:
        states = network.read(others, [site.name])[site.name]
        if _same(network(few, replace={site.name: states}), wanted):
            found.append(site)
    return [site.name for site in thinned(found, most)]


def _same(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().amax() <= 1e-4 * b.abs().amax().clamp(min=1e-12))


def reads_context(network: Subject, pairs: Pairing, site: str) -> bool:
    """Whether the states of attributes at this site depend on more than the attribute and its position. Where they do not,
    exchanging them is the same as exchanging words of the input."""
    many = pairs.target.entities.shape[1]
    targets = {name: column[::many][:_FEW] for name, column in pairs.target.written.inputs.items()}
    others = {name: column[:_FEW] for name, column in pairs.altered.written.inputs.items()}
    rows = torch.arange(len(next(iter(targets.values()))))
    at = pairs.target.written.attribute_at[::many][:_FEW, 1]
    states, altered = (network.read(inputs, [site])[site][rows, at] for inputs in (targets, others))
    return not _same(states, altered)


def shares(answered: Int[Tensor, " n"], pairs: Pairing) -> Float[Tensor, "n 4"]:
    """Classify every answer by whose attribute it is, one-hot in the order of `ANSWERS`."""
    target, source = pairs.target.contexts.attributes, pairs.source.contexts.attributes
    columns = [answered == target[:, 0], answered == source[:, 0], (answered[:, None] == target[:, 1:]).any(1)]
    found = torch.stack(columns, 1)
    return torch.cat([found, ~found.any(1, keepdim=True)], 1).float()


def patched_shares(
    network: Subject, pairs: Pairing, site: str, patches: Sequence[Patch], *, generator: Generator
) -> dict[Patch, Float[Tensor, "n queries 4"]]:
    """The classified answers to every query when the states of a list's first item are patched from the source, by patch."""
    held, others = (network.read(asked.written.inputs, [site])[site] for asked in (pairs.target, pairs.source))
    found: dict[Patch, Tensor] = {}
    for patch in patches:
        answered = _patched(network, pairs, site, patch, held.clone(), others, generator).argmax(2)
        found[patch] = torch.stack([shares(column, pairs) for column in answered.unbind(1)], 1)
    return found


def _patched(
    network: Subject, pairs: Pairing, site: str, patch: Patch, states: Tensor, others: Tensor, generator: Generator
) -> Float[Tensor, "n queries attributes"]:
    target = pairs.target
    rows = torch.arange(len(states))
    for into, whence in _positions(pairs, patch):
        new = others[rows, whence]
        if patch == "random vector":
            drawn = torch.randn(len(target.contexts), states.shape[2], generator=generator)[target.rows]
            new = drawn / drawn.norm(dim=1, keepdim=True) * new.norm(dim=1, keepdim=True)
        states[rows, into] = new.to(states.dtype)
    said = network(target.written.inputs, replace={site: states})[:, target.outputs].float()
    return said.unflatten(0, target.entities.shape)


def _positions(pairs: Pairing, patch: Patch) -> list[tuple[Tensor, Tensor]]:
    names = {"attribute": ["attribute_at"], "entity": ["entity_at"], "both": ["entity_at", "attribute_at"],
             "unrelated token": ["unrelated_at"], "random vector": ["attribute_at"]}[patch]  # fmt: skip
    return [(getattr(pairs.target.written, name)[:, 0], getattr(pairs.source.written, name)[:, 0]) for name in names]


@dataclass(frozen=True)
class Patched:
    """Classified answers `(n, queries, 4)` under every patch, at the site where patching changes most answers.

    **Attributes:** `site`: chosen on contexts that are not evaluated here; empty where no site holds more than the input.
    """

    site: str
    unpatched: Float[Tensor, "n queries 4"]
    patched: Mapping[Patch, Float[Tensor, "n queries 4"]]

    def share(self, patch: Patch, query: int, answer: int) -> float:
        """The share of one kind of answer to one query."""
        return float(self.patched[patch][:, query, answer].mean())


def patch_all(network: Subject, choosing: Pairing, judging: Pairing, sites: Sequence[str], *, generator: Generator) -> Patched:
    """Apply every patch at the site where patching attribute or entity changes most answers, among sites that depend on more
    than the input at their own position."""
    answered = logits(network, judging.target).argmax(2)
    plain = torch.stack([shares(column, judging) for column in answered.unbind(1)], 1)
    inner = [site for site in sites if reads_context(network, choosing, site)]
    if not inner:
        return Patched("", plain, {})

    def moved(site: str) -> float:
        found = patched_shares(network, choosing, site, ("attribute", "entity"), generator=generator)
        return max(float(1 - one[:, 0, 0].mean()) for one in found.values())

    best = max(inner, key=moved)
    return Patched(best, plain, patched_shares(network, judging, best, PATCHES, generator=generator))


def signature(found: Patched) -> Signature:
    """The mechanism that the patches point to.

    `ID-like`: after the source's attribute is patched in, it is the answer to the target's entity: an abstract identifier, not
    the entity itself, joins the two. `direct`: it is the answer to the source's entity, since the patched state carries that
    entity along. `not localised`: no patch changes more answers than the nulls do; binding may then lie elsewhere. `lexical or
    none`: answers change in neither way.
    """
    if not found.site:
        return "not localised"
    kept = {patch: found.share(patch, 0, 0) for patch in PATCHES}
    moved = max(kept[patch] for patch in NULL_PATCHES[:1]) - min(kept["attribute"], kept["entity"])
    by_id, direct = found.share("attribute", 0, 1) >= _HALF, found.share("attribute", 1, 1) >= _HALF
    if not (by_id or direct) and moved < _MOVED:
        return "not localised"
    if by_id and direct:
        return "ID-like and direct"
    return "ID-like" if by_id else "direct" if direct else "lexical or none"


def swapped(
    network: Subject, asked: Asked, site: str, what: Sequence[Swap], *, places: tuple[int, int] = (0, -1)
) -> dict[Swap, Float[Tensor, "n q attributes"]]:
    """The logits when the states of two items of every list are exchanged at a site."""
    states = network.read(asked.written.inputs, [site])[site]
    rows = torch.arange(len(states))
    found: dict[Swap, Tensor] = {}
    for swap in what:
        after = states.clone()
        for name in _SWAPPED[swap]:
            first, second = (getattr(asked.written, name)[:, place] for place in places)
            after[rows, first], after[rows, second] = states[rows, second], states[rows, first]
        said = network(asked.written.inputs, replace={site: after})[:, asked.outputs].float()
        found[swap] = said.unflatten(0, asked.entities.shape)
    return found


def who_swaps(said: Float[Tensor, "n q attributes"], asked: Asked) -> Float[Tensor, "q others"]:
    """For every query, the shares of answers that are the attribute at each place, and in the last column of no place."""
    size = asked.contexts.size
    place = asked.places_of(said.argmax(2))
    return torch.stack([torch.bincount(column, minlength=size + 1) for column in place.unbind(1)]).float() / len(place)


def ends_difference(said: Float[Tensor, "n q attributes"], contexts: Contexts) -> Float[Tensor, " n"]:
    """The contrast between the first and the last place of every list, in logits: above 0 where each query prefers its own
    attribute, below 0 where answers are exchanged. The first and the last query must be those of these places."""
    between = listed(said, contexts)[:, [0, -1]][:, :, [0, -1]]
    return between[:, 0, 0] - between[:, 0, 1] - between[:, 1, 0] + between[:, 1, 1]


def swap_curve(
    network: Subject, asked: Asked, sites: Sequence[str], *, what: Sequence[Swap] = SWAPS
) -> dict[Swap, Float[Tensor, "sites n"]]:
    """The sign of `ends_difference` after a swap of the first and the last place of every list, at each site: -1 where the
    answers are exchanged, 1 where they are unchanged."""
    found = [swapped(network, asked, site, what) for site in sites]
    return {name: torch.stack([ends_difference(said[name], asked.contexts).sign() for said in found]) for name in what}
