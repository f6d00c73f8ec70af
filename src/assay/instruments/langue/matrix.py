"""The alignment matrix: mutual neighbours of every pair of systems of relations, each with its null."""

from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Int

from assay.figure import ITSELF, Matrix
from assay.instruments.langue.systems import CONTENT, FEWEST_WORDS, NEAREST
from assay.relations import calibrated, cosine, mutual_neighbours, mutual_null, nearest
from assay.text.word_counts import frequency_bins

NETWORK = "the network"


def _places(rows: Int[np.ndarray, " n"], wanted: Int[np.ndarray, " m"]) -> Int[np.ndarray, " m"]:
    order = np.argsort(rows)
    return order[np.searchsorted(rows[order], wanted)]


def between(data: Any, kept: Any) -> Matrix:
    """Mutual neighbours between the network at its best layer and all systems, over shared words: above the diagonal; below it,
    the mean under permutations within groups of like frequency."""
    counts, known = np.array(data.vocabulary.counts), data.systems
    every = np.arange(len(counts))
    tables = {NETWORK: (every, cosine(kept.vectors))}
    tables |= {name: (one.rows, one.likeness) for name, one in {**known.real, **known.nulls}.items() if name != CONTENT}
    names, alignments = tuple(tables), {**kept.aligned, **kept.nulls}
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    notes = [[ITSELF if one == other else "" for other in names] for one in names]
    for (i, one), (j, other) in combinations(enumerate(names), 2):
        rows = np.intersect1d(tables[one][0], tables[other][0])
        value = mean = None
        note = f"{len(rows)} words are in both, and {FEWEST_WORDS} are needed"
        if len(rows) >= FEWEST_WORDS:
            near = []
            for name, side in ((one, 0), (other, 1)):
                places = _places(tables[name][0], rows)
                generator = np.random.default_rng([data.seed, side])
                near.append(nearest(tables[name][1][np.ix_(places, places)], NEAREST, generator=generator))
            groups, generator = frequency_bins(counts[rows]), np.random.default_rng(data.seed)
            # The layer of the network under test was chosen, so its null is the maximum over layers.
            drawn = (
                alignments[other].null
                if one == NETWORK
                else mutual_null(*near, draws=data.budget.pair_draws, generator=generator, groups=groups)
            )
            found = calibrated(float(mutual_neighbours(*near).mean()), drawn)
            value, mean = found.value, found.mean
            chosen = one != NETWORK and any(known.real[name].further for name in (one, other) if name in known.real)
            verdict = "no p, since a layer was chosen" if chosen else f"p {found.p:.3f}"
            note = f"beside {mean:.3f} for words of like frequency, {verdict}; {len(rows)} words"
        values[i][j], values[j][i] = value, mean
        notes[i][j], notes[j][i] = note, "null: words of like frequency"
    named = ", ".join(f"{k} {name}" for k, name in enumerate(names, 1))
    return Matrix(
        name="Alignment of all systems",
        down="system",
        across="system",
        rows=tuple(f"{k} {name}" for k, name in enumerate(names, 1)),
        columns=tuple(f"{k}" for k in range(1, len(names) + 1)),
        values=tuple(map(tuple, values)),
        notes=tuple(map(tuple, notes)),
        caption="Above the diagonal: the share of the ten nearest neighbours of a word that two systems have in common. Below "
        "it: the same for words of like frequency, the null. Of the network under test it is the largest over layers; other "
        f"networks are read at the layer that agrees best with counts. {named}.",
        level=0,
    )
