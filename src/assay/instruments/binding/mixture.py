"""Mixture of positional, lexical and reflexive mechanisms, fitted to the answers after a patch at the last token.

The state at the last token, where the query is answered, is patched from a source list into a target list. Three mechanisms
then predict three different places of the target: *positional*, the place that was queried in the source; *lexical*, the
place of the source's queried entity; *reflexive*, the place of the source's answer. After arXiv 2510.06182 (ICLR 2026), which
fits such a mixture to language models; positional answers spread over neighbouring places. A network may also favour one
place whatever the query, so a second fit adds one term for every place, shared by all lists.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.entities import Contexts, ListsEntities
from assay.errors import AssayError
from assay.instruments.binding.asked import Asked, ask, listed, unlisted
from assay.subject import Subject

MECHANISMS = ("positional", "lexical", "reflexive")
_STEPS, _DECAY = 60, 1e-3
LEAST = 20
"""The fewest answers to which a mixture is fitted."""


@dataclass(frozen=True)
class Mixture:
    """A mixture fitted to some answers and evaluated on others.

    **Attributes:**

    - `shares`: shares of the held-out answers at the place of each mechanism, and `elsewhere`; they sum to 1.
    - `predicted`: the share of held-out answers to which the fitted mixture gives the highest probability.
    - `favoured`: the same for the mixture with a term for every place of the list.
    - `alone`: the nulls: the same for each mechanism fitted by itself, and for the most frequent place.
    """

    shares: dict[str, float]
    predicted: Float[Tensor, " n"]
    favoured: Float[Tensor, " n"]
    alone: dict[str, Float[Tensor, " n"]]


@dataclass(frozen=True)
class CrossedLists:
    """Pairs of lists in which each mechanism predicts a different place.

    **Attributes:** `into`: the target lists, asked for an entity that they do not hold; `whence`: the source lists, with the
    same entities and attributes at other places, asked for one of them; `places`: the predicted places `(n, 3)`, in the order
    of `MECHANISMS`.
    """

    into: Asked
    whence: Asked
    places: Int[Tensor, "n 3"]


def crossed(
    task: ListsEntities, contexts: Contexts, *, generator: Generator, place: Int[Tensor, " n"] | None = None
) -> CrossedLists:
    """Pair every list with a source list whose entities are shifted by one place and whose attributes by two.

    **Arguments:** `place`: the place that is queried in the source, by default one at random for each list.

    **Raises:** `AssayError` for lists of fewer than three, where the three places cannot differ.
    """
    size, num = contexts.size, len(contexts)
    if size < len(MECHANISMS):
        raise AssayError("lists must have at least three places to tell three mechanisms apart", given=f"lists of {size}")
    moved = replace(contexts, entities=contexts.entities.roll(1, 1), attributes=contexts.attributes.roll(2, 1))
    place = torch.randint(size, (num,), generator=generator) if place is None else place
    places = torch.stack([place, (place - 1) % size, (place - 2) % size], 1)
    other = unlisted(contexts, task.num_entities, num=1, generator=generator)
    asked_for = moved.entities.gather(1, place[:, None])
    return CrossedLists(ask(task, contexts, other), ask(task, moved, asked_for), places)


def said_of_places(network: Subject, lists: CrossedLists, site: str) -> Float[Tensor, "n k"]:
    """The logits of the attribute at every place of the target, with the last token's state at a site patched from the
    source."""
    states = network.read(lists.into.written.inputs, [site])[site].clone()
    states[:, -1] = network.read(lists.whence.written.inputs, [site])[site][:, -1]
    said = network(lists.into.written.inputs, replace={site: states})[:, lists.into.outputs].float()
    return listed(said[:, None], lists.into.contexts)[:, 0]


def fit_mixture(answered: Int[Tensor, " n"], places: Int[Tensor, "n 3"], *, size: int, train: Tensor) -> Mixture:
    """Multinomial logistic regression of the answered place on the predictions of the mechanisms.

    **Arguments:** `answered`: the answered place, 0 to `size - 1`; `places`: the place that each mechanism predicts, in the
    order of `MECHANISMS`, all different; `train`: the rows to which the mixture is fitted; it is evaluated on the others.

    **Raises:** `AssayError` for fewer than `LEAST` rows on either side.

    Example::

        places = torch.rand(400, 4).argsort(1)[:, :3]
        found = fit_mixture(places[:, 1], places, size=4, train=torch.arange(400) % 2 == 0)
        assert found.shares["lexical"] == 1.0
    """
    rows = torch.as_tensor(train, dtype=torch.bool)
    if int(rows.sum()) < LEAST or int((~rows).sum()) < LEAST:
        given = f"{int(rows.sum())} and {int((~rows).sum())}"
        raise AssayError(f"a mixture needs {LEAST} answers or more to fit, and as many to evaluate", given=given)
    features = _features(places, size)
    judged = ~rows

    def predicted(columns: list[int]) -> Tensor:
        weights = _fitted(features[rows][:, :, columns], answered[rows])
        said = features[judged][:, :, columns] @ weights
        best = said == said.amax(1, keepdim=True)
        return best[torch.arange(len(said)), answered[judged]].float() / best.sum(1)

    by_mechanism = {"positional": [0, 1], "lexical": [2], "reflexive": [3]}
    alone = {name: predicted(columns) for name, columns in by_mechanism.items()}
    often = int(answered[rows].bincount(minlength=size).argmax())
    alone["one place"] = (answered[judged] == often).float()
    hits = {name: float((answered[judged] == places[judged, k]).float().mean()) for k, name in enumerate(MECHANISMS)}
    every = list(range(features.shape[2]))
    shares = {**hits, "elsewhere": max(0.0, 1 - sum(hits.values()))}
    return Mixture(shares, predicted([0, 1, 2, 3]), predicted(every), alone)


def _features(places: Int[Tensor, "n 3"], size: int) -> Float[Tensor, "n size f"]:
    """Features of each place: which mechanisms predict it, its squared distance from the positional place, and its index."""
    each = torch.arange(size)
    at = (each[None, :, None] == places[:, None]).double()
    distance = (each[None] - places[:, :1]).double().square() / size**2
    which = torch.eye(size, dtype=torch.float64).expand(len(places), -1, -1)
    return torch.cat([torch.stack([at[..., 0], -distance, at[..., 1], at[..., 2]], 2), which], 2)


def _fitted(features: Float[Tensor, "n size f"], answered: Int[Tensor, " n"]) -> Float[Tensor, " f"]:
    """Maximum of the penalised likelihood, which is concave, by Newton's method."""
    num = features.shape[2]
    weights = torch.zeros(num, dtype=torch.float64)
    own = features[torch.arange(len(features)), answered]
    for _ in range(_STEPS):
        chance = (features @ weights).softmax(1)
        mean = torch.einsum("ns,nsf->nf", chance, features)
        gradient = (own - mean).mean(0) - _DECAY * weights
        centred = features - mean[:, None]
        curvature = torch.einsum("ns,nsf,nsg->fg", chance, centred, centred) / len(features)
        step = torch.linalg.solve(curvature + _DECAY * torch.eye(num, dtype=torch.float64), gradient)
        weights = weights + step
        if float(step.abs().max()) < 1e-8:
            break
    return weights
