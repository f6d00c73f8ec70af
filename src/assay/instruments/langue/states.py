"""Vectors of words in a network (the mean state over contexts, at every layer) and their alignment with other systems."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from assay.encoding import Encoder, encode
from assay.errors import AssayError
from assay.graph import Graph
from assay.instrument import NotEnough
from assay.relations import (
    Calibrated,
    calibrated_maximum,
    cosine,
    debiased_cka,
    mutual_neighbours,
    mutual_null,
    nearest,
    permutations,
    rsa,
)
from assay.relations.cka import cka_null
from assay.text import Corpus
from assay.text.word_counts import WORD, frequency_bins

MOST_CONTEXT = 12  # the most words in a context
Groups = Int[np.ndarray, " n"] | None


def contexts(corpus: Corpus, words: Sequence[str], *, each: int, longest: int, generator: np.random.Generator) -> list[Graph]:
    """Contexts from the training text in which every word occurs `each` times, where it occurs so often. A node of a context is
    an occurrence of a listed word. The first word, which has no context, is never counted."""
    wanted = dict.fromkeys(words, each)
    found = []
    texts = sorted(corpus.train)
    order = [(k, line) for k, text in enumerate(texts) for line in range(text.count("\n") + 1)]
    lines = [text.split("\n") for text in texts]
    for k in generator.permutation(len(order)).tolist():
        text, line = order[k]
        pieces = WORD.findall(lines[text][line])
        for start in range(0, len(pieces) - 1, MOST_CONTEXT):
            some = _within(pieces[start : start + MOST_CONTEXT], longest)
            places = [p for p, word in enumerate(some) if p and wanted.get(word.lower(), 0) > 0]
            if places:
                for p in places:
                    wanted[some[p].lower()] -= 1
                found.append(
                    Graph(words=tuple(some), mentions=tuple((p,) for p in places), edges=(), punctuation=(False,) * len(places))
                )
        if len(found) % 64 == 0 and max(wanted.values(), default=0) <= 0:
            break
    return found


def readable(encoder: Encoder, graphs: Sequence[Graph]) -> list[Graph]:
    """The contexts that the encoder accepts; it refuses those in which its tokenizer drops a word.

    **Raises:** `NotEnough` where it refuses all."""
    refused = encoder.prepare(graphs).refused if graphs else {}
    kept = [graph for k, graph in enumerate(graphs) if k not in refused]
    if not kept:
        raise NotEnough(f"no context can be read, of {len(graphs)}" + (f": {refused[min(refused)]}" if refused else ""))
    return kept


def shown(graphs: Sequence[Graph]) -> set[str]:
    """The words that are counted in these contexts. Other words have no state and must not be compared: they would be alike in
    every network."""
    return {graph.words[mention[0]].lower() for graph in graphs for mention in graph.mentions}


def _within(pieces: Sequence[str], longest: int) -> list[str]:
    """The longest prefix that fits into fewer than `longest` bytes, counting a blank before each word."""
    sizes = np.cumsum([1 + len(piece.encode()) for piece in pieces])
    return [piece for piece, size in zip(pieces, sizes.tolist(), strict=True) if size < longest]


def vectors(encoder: Encoder, graphs: Sequence[Graph], words: Sequence[str]) -> Mapping[str, Float[np.ndarray, "words d"]]:
    """By layer the mean state of every word over its contexts.

    **Raises:** `AssayError` for words without a readable context: they would share one vector, and any two networks would agree
    on them."""
    encoded = encode(encoder, graphs)
    place = {word: k for k, word in enumerate(words)}
    rows = torch.tensor(
        [place[graphs[k].words[mention[0]].lower()] for k in encoded.kept for mention in graphs[k].mentions], dtype=torch.int64
    )
    counts = torch.bincount(rows, minlength=len(words))[:, None]
    if unread := [word for word, count in zip(words, counts.tolist(), strict=True) if not count[0]]:
        raise AssayError(
            "every word must have a context that can be read",
            given=f"{len(unread)} of {len(words)} words have none, such as {unread[0]!r}",
            next_step="leave them out of the words, or give more contexts",
        )
    found = {}
    for k, layer in enumerate(encoded.layers):
        states = torch.as_tensor(encoded.states[k]).double()
        total = torch.zeros(len(words), states.shape[1], dtype=torch.float64).index_add_(0, rows, states)
        found[layer] = (total / counts).numpy()
    return found


class System(NamedTuple):
    """A system of relations to compare networks with. `rows`: of the words that it knows; their neighbours, similarities and
    vectors (None for a system without vectors); `further`: for another network, the neighbours at its other layers."""

    rows: Int[np.ndarray, " n"]
    near: Int[np.ndarray, "n k"]
    likeness: Float[np.ndarray, "n n"]
    vectors: Float[np.ndarray, "n d"] | None
    further: tuple[Int[np.ndarray, "n k"], ...] = ()


class Alignment(NamedTuple):
    """Alignment of a network with a system.

    **Attributes:** `best`: the calibrated maximum over layers under the matched null; `free`: the same layer under free
    permutations; `layer`; `words`: share of common neighbours of each word there; `null`: the matched null of the maximum;
    `by_layer`: mean share at every layer; `matched`: mean of the matched null there; `chosen`: the index of the best layer
    under each draw, so that measures at the chosen layer have a null that chooses too.
    """

    best: Calibrated
    free: Calibrated
    layer: str
    words: Float[np.ndarray, " n"]
    null: Float[np.ndarray, " draws"]
    by_layer: tuple[float, ...]
    matched: tuple[float, ...]
    chosen: Int[np.ndarray, " draws"]


def system(
    rows: Int[np.ndarray, " n"],
    likeness: Float[np.ndarray, "n n"],
    k: int,
    *,
    vectors: Float[np.ndarray, "n d"] | None = None,
    without: Bool[np.ndarray, "n n"] | None = None,
) -> System:
    """A system with the neighbours of its words."""
    return System(rows, nearest(likeness, k, without=without), likeness, vectors)


def align(
    layers: Mapping[str, Float[np.ndarray, "words d"]],
    other: System,
    counts: Int[np.ndarray, " words"],
    *,
    draws: int,
    seed: int,
    without: Bool[np.ndarray, "n n"] | None = None,
) -> Alignment:
    """Mutual neighbours at every layer, and the maximum over layers beside permutations that all layers share.

    With another network the maximum is over all pairs of layers, so that the comparison is symmetric.

    **Arguments:** `counts`: how often each word occurs."""
    k = other.near.shape[1]
    groups = frequency_bins(counts[other.rows])
    ties = np.random.default_rng([seed, 1])  # not the draws of the other system
    near = [nearest(cosine(found[other.rows]), k, without=without, generator=ties) for found in layers.values()]
    theirs = (other.near, *other.further)
    each = [max((mutual_neighbours(one, two) for two in theirs), key=np.mean) for one in near]

    def null(one: Int[np.ndarray, "n k"], two: Int[np.ndarray, "n k"], groups: Groups) -> Float[np.ndarray, " draws"]:
        # One seed for every pair of layers, so that a draw permutes words alike in all of them.
        return mutual_null(one, two, draws=draws, generator=np.random.default_rng(seed), groups=groups)

    def nulls(groups: Groups) -> Float[np.ndarray, "layers draws"]:
        return np.stack([np.max([null(one, two, groups) for two in theirs], axis=0) for one in near])

    values, matched = [float(one.mean()) for one in each], nulls(groups)
    best = calibrated_maximum(values, matched)
    free = calibrated_maximum(values, nulls(None))
    return Alignment(
        best=best,
        free=free,
        layer=list(layers)[best.layer],
        words=each[best.layer],
        null=matched.max(0),
        by_layer=tuple(values),
        matched=tuple(matched.mean(1).tolist()),
        chosen=matched.argmax(0),
    )


class Draws(NamedTuple):
    """Permutations of words within groups of like frequency (`order`: word `i` takes the vector of word `order[i]`), and the
    index of the layer that agrees best with counts under each (`chosen`): those of `align`."""

    order: Int[np.ndarray, "draws n"]
    chosen: Int[np.ndarray, " draws"]

    @classmethod
    def of(cls, found: Alignment, counts: Int[np.ndarray, " n"], *, draws: int, seed: int) -> "Draws":
        """The first `draws` permutations behind the null of `found`."""
        draws = min(draws, len(found.chosen))
        groups = frequency_bins(counts)
        return cls(permutations(len(counts), draws, generator=np.random.default_rng(seed), groups=groups), found.chosen[:draws])

    def null(
        self,
        layers: Sequence[Float[np.ndarray, "n d"]],
        statistic: Callable[[Float[np.ndarray, "n d"], Int[np.ndarray, "some n"]], Float[np.ndarray, " some"]],
    ) -> Float[np.ndarray, " draws"]:
        """Null values of a statistic of one layer, each at the layer that would have been chosen under its permutation."""
        found = np.empty(len(self.order))
        for layer in np.unique(self.chosen):
            rows = self.chosen == layer
            found[rows] = statistic(layers[layer], self.order[rows])
        return found


class Global(NamedTuple):
    """Agreement over all pairs of words with its matched null, and the values without each tenth of the words in turn."""

    value: float
    null: Float[np.ndarray, " draws"]
    left_out: Float[np.ndarray, " tenths"]


def whole(
    layers: Sequence[Float[np.ndarray, "words d"]],
    best: int,
    counts: System,
    removed: Sequence[Float[np.ndarray, "n n"]],
    *,
    draws: Draws,
    seed: int,
) -> dict[str, Global]:
    """Partial RSA and debiased CKA with counts of the text at the layer of index `best`; the null chooses the layer anew in
    every draw."""
    assert counts.vectors is not None
    own, vectors = layers[best], counts.vectors
    tenths = np.random.default_rng(seed).permutation(len(own)) % 10
    likeness, value = cosine(own), debiased_cka(own, vectors)
    # The permutation is applied to the other side, so it is inverted.
    moved = Draws(draws.order.argsort(1), draws.chosen)

    def partial(kept: Int[np.ndarray, " m"]) -> float:
        some = np.ix_(kept, kept)
        return rsa(likeness[some], counts.likeness[some], without=[one[some] for one in removed]).rho

    kept = [np.flatnonzero(tenths != k) for k in range(10)]
    ranks = moved.null(layers, lambda one, order: rsa(cosine(one), counts.likeness, without=removed, order=order).null)
    aligned = moved.null(layers, lambda one, order: cka_null(one, vectors, order))
    return {
        "rsa": Global(partial(np.arange(len(own))), ranks, np.array([partial(rows) for rows in kept])),
        "cka": Global(value, aligned, np.array([debiased_cka(own[rows], vectors[rows]) for rows in kept])),
    }
