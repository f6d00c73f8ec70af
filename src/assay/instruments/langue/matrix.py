"""The alignment matrix: every system of relations beside every other, each pair with its null."""

from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Int

from assay.figure import Matrix
from assay.instruments.langue.systems import CONTENT, FEWEST_WORDS, NEAREST
from assay.relations import calibrated, cosine, mutual_neighbours, mutual_null, nearest
from assay.text.words import frequency_bins

NETWORK = "the network"


def _places(rows: Int[np.ndarray, " n"], wanted: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    order = np.argsort(rows)
    return order[np.searchsorted(rows[order], wanted)]


def between(data: Any, kept: Any) -> Matrix:
    """Mutual neighbours of the network at its best layer and of all systems, over the words that both of a pair have."""
    counts, known = np.array(data.vocabulary.counts), data.systems
    every = np.arange(len(counts))
    tables = {NETWORK: (every, cosine(kept.vectors))}
    tables |= {name: (one.rows, one.likeness) for name, one in {**known.real, **known.nulls}.items() if name != CONTENT}
    names = tuple(tables)
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    notes = [["itself" if one == other else "" for other in names] for one in names]
    for (i, one), (j, other) in combinations(enumerate(names), 2):
        rows = np.intersect1d(tables[one][0], tables[other][0])
        value, note = None, f"{len(rows)} words are in both, and {FEWEST_WORDS} are needed"
        if len(rows) >= FEWEST_WORDS:
            near = []
            for name, side in ((one, 0), (other, 1)):
                places = _places(tables[name][0], rows)
                generator = np.random.default_rng([data.seed, side])
                near.append(nearest(tables[name][1][np.ix_(places, places)], NEAREST, generator=generator))
            value = float(mutual_neighbours(*near).mean())
            groups, generator = frequency_bins(counts[rows]), np.random.default_rng(data.seed)
            drawn = mutual_null(*near, draws=data.budget.pair_draws, generator=generator, groups=groups)
            null = calibrated(value, drawn)
            note = f"words of like frequency {null.mean:.3f}, p {null.p:.3f}; {len(rows)} words"
        values[i][j] = values[j][i] = value
        notes[i][j] = notes[j][i] = note
    return Matrix(
        name="Alignment of all systems",
        down="system",
        across="system",
        rows=names,
        columns=names,
        values=tuple(map(tuple, values)),
        notes=tuple(map(tuple, notes)),
        caption="Share of the ten nearest neighbours of a word that two systems have in common.",
        level=0,
    )
