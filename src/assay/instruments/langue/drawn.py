"""The draw of langue shared by all networks, the results kept for the network under test, and sizes at each effort."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from assay.encoding import Encoder
from assay.encoding.scoring import Scorer
from assay.figure import DetailTable
from assay.instrument import Budget
from assay.instruments.langue import bits, states
from assay.instruments.langue.systems import Systems
from assay.relations import Match
from assay.text import Corpus, Vocabulary
from assay.text.leftover import TokenRules
from assay.text.online import Online


@dataclass(frozen=True, kw_only=True)
class LangueBudget(Budget):
    """Sizes at one effort.

    **Attributes:**

    - `excerpts`, `size`: stretches of held-out text, and their characters.
    - `words`, `each`: words whose relations are compared, and the contexts in which each is read.
    - `draws`, `pair_draws`: permutations for the local and for the global measures.
    - `layers`: the most layers that are read.
    - `match`: whether words are matched without labels; `sizes`, `known`: numbers of random words and of given pairs at which
      matching is repeated; `subsets`: repeats; `transport`: whether to match by a second solver too, where it is installed.
    - `online`: bytes of training text that an untrained byte-level copy codes while it learns them.
    - `reading`: the most that all networks may cost to read, in weights times tokens, None for no limit; excerpts and contexts
      are reduced to meet it.
    """

    excerpts: int
    size: int
    words: int
    each: int
    draws: int
    pair_draws: int
    layers: int
    match: bool
    sizes: tuple[int, ...] = ()
    known: tuple[int, ...] = (0,)
    subsets: int = 1
    transport: bool = False
    online: int = 0
    reading: float | None = None


class LangueDraw(NamedTuple):
    """Everything that depends on no network."""

    budget: LangueBudget
    corpus: Corpus
    scorer: Scorer | None
    why: str
    encoder: Encoder
    excerpts: bits.Excerpts
    rules: TokenRules
    imitated: bits.BesideCounts
    vocabulary: Vocabulary
    graphs: Sequence
    systems: Systems
    removed: Sequence[Float[np.ndarray, "n n"]]
    online: Online | None
    seed: int
    weights: int


class LangueKept(NamedTuple):
    """Results for the text and figures of the report: alignments by system and with the nulls among systems, the vectors at
    every layer and at the best, the match of words, tables of matches, bits, and the reason where there are none."""

    aligned: Mapping[str, states.Alignment]
    nulls: Mapping[str, states.Alignment]
    layers: Mapping[str, Float[np.ndarray, "n d"]]
    vectors: Float[np.ndarray, "n d"]
    matched: Match | None
    tables: tuple[DetailTable, ...] = ()
    read: bits.NetworkBits | None = None
    why: str = ""
