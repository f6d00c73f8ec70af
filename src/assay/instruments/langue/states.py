"""Vectors of words in a network: the mean state over contexts, at every layer, and how they agree with counted ones."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from assay.encoding import Encoder, encode
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
from assay.text.words import WORD, frequency_bins

MOST_CONTEXT = 12  # words of a context


def contexts(corpus: Corpus, words: Sequence[str], *, each: int, longest: int, generator: np.random.Generator) -> list[Graph]:
    """Stretches of the text to learn from in which every word stands `each` times, where it occurs so often. The first word of
    a stretch, which has no context, is never one that is counted. A node is a word of the list."""
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


def shown(graphs: Sequence[Graph]) -> set[str]:
    """The words that are counted in these contexts. Others have no state: two of them would be alike in every network."""
    return {graph.words[mention[0]].lower() for graph in graphs for mention in graph.mentions}


def _within(pieces: Sequence[str], longest: int) -> list[str]:
    """As many words as fit into so many bytes, a blank before each."""
    sizes = np.cumsum([1 + len(piece.encode()) for piece in pieces])
    return [piece for piece, size in zip(pieces, sizes.tolist(), strict=True) if size < longest]


def vectors(encoder: Encoder, graphs: Sequence[Graph], words: Sequence[str]) -> Mapping[str, Float[np.ndarray, "words d"]]:
    """By layer the mean state of every word; of a word that no context shows, the mean of all.

    **Raises:** `NotEnough` where no context could be read."""
    encoded = encode(encoder, graphs)
    if not len(encoded):
        raise NotEnough(f"no context was read, of {len(graphs)}" + (f": {encoded.refused[0].why}" if encoded.refused else ""))
    place = {word: k for k, word in enumerate(words)}
    rows = torch.tensor(
        [place[graphs[k].words[mention[0]].lower()] for k in encoded.kept for mention in graphs[k].mentions], dtype=torch.int64
    )
    counts = torch.bincount(rows, minlength=len(words)).clamp(min=1)[:, None]
    found = {}
    for k, layer in enumerate(encoded.layers):
        states = torch.as_tensor(encoded.states[k]).double()
        total = torch.zeros(len(words), states.shape[1], dtype=torch.float64).index_add_(0, rows, states)
        found[layer] = torch.where(
            torch.bincount(rows, minlength=len(words))[:, None] > 0, total / counts, states.mean(0)
        ).numpy()
    return found


class System(NamedTuple):
    """A system of relations that networks are compared with: `rows` of the words that it knows, their neighbours, likeness and
    vectors (None for one that has no vectors)."""

    rows: Int[np.ndarray, " n"]
    near: Int[np.ndarray, "n k"]
    likeness: Float[np.ndarray, "n n"]
    vectors: Float[np.ndarray, "n d"] | None


class Alignment(NamedTuple):
    """How a network agrees with a system.

    **Attributes:** `best`: the calibrated maximum over layers under the matched null; `free`: the same layer under free
    permutations; `layer`; `words`: share of common neighbours of each word there; `null`: the matched null of the maximum;
    `by_layer`: mean share at every layer; `matched`: mean of the matched null there.
    """

    best: Calibrated
    free: Calibrated
    layer: str
    words: Float[np.ndarray, " n"]
    null: Float[np.ndarray, " draws"]
    by_layer: tuple[float, ...]
    matched: tuple[float, ...]


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
    """Mutual neighbours at every layer, and the largest of them beside permutations that all layers share. `counts`: how often
    each word occurs."""
    k = other.near.shape[1]
    groups = frequency_bins(counts[other.rows])
    near = [nearest(cosine(found[other.rows]), k, without=without) for found in layers.values()]
    each = [mutual_neighbours(one, other.near) for one in near]

    def nulls(groups: Int[np.ndarray, " n"] | None) -> Float[np.ndarray, "layers draws"]:
        # The same generator for every layer, so that a draw permutes words alike in all of them.
        return np.stack(
            [mutual_null(one, other.near, draws=draws, generator=np.random.default_rng(seed), groups=groups) for one in near]
        )

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
    )


class Global(NamedTuple):
    """Agreement of all pairs: partial rank correlation and debiased CKA, each with its matched null and the value without every
    tenth of the words in turn."""

    value: float
    null: Float[np.ndarray, " draws"]
    left_out: Float[np.ndarray, " tenths"]


def whole(
    found: Float[np.ndarray, "words d"],
    other: System,
    counts: Int[np.ndarray, " words"],
    removed: Sequence[Float[np.ndarray, "n n"]],
    *,
    draws: int,
    seed: int,
) -> dict[str, Global]:
    """Partial RSA, and CKA where the system has vectors."""
    own, num = found[other.rows], len(other.rows)
    order = permutations(num, draws, generator=np.random.default_rng(seed), groups=frequency_bins(counts[other.rows]))
    tenths = np.random.default_rng(seed).permutation(num) % 10
    likeness = cosine(own)
    main = rsa(likeness, other.likeness, without=removed, order=order)

    def partial(kept: Int[np.ndarray, " m"]) -> float:
        some = np.ix_(kept, kept)
        return rsa(likeness[some], other.likeness[some], without=[one[some] for one in removed]).rho

    kept = [np.flatnonzero(tenths != k) for k in range(10)]
    result = {"rsa": Global(main.rho, main.null, np.array([partial(rows) for rows in kept]))}
    if other.vectors is not None:
        parts = np.array([debiased_cka(own[rows], other.vectors[rows]) for rows in kept])
        result["cka"] = Global(debiased_cka(own, other.vectors), cka_null(own, other.vectors, order), parts)
    return result
