"""What langue draws once for all networks, what it keeps of the one under test, and how much of either at each effort."""

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
from assay.training.online import Online


@dataclass(frozen=True, kw_only=True)
class LangueBudget(Budget):
    """Sizes.

    **Attributes:**

    - `excerpts`, `size`: how many stretches of held-out text, and their characters.
    - `words`, `each`: words whose relations are compared, and the contexts that each is read in.
    - `draws`, `pair_draws`: permutations of the local and of the global measures.
    - `layers`: at most so many are read.
    - `match`: whether words are matched without labels; `sizes`, `known`: also so many of them at random, of which so many are
      given; `subsets`: how often; `transport`: whether by a second solver too, where it is installed.
    - `online`: of the text to learn from the bytes that an untrained copy of a network of bytes codes while it learns them.
    - `reading`: what all networks may cost to read, in weights times tokens, None for whatever it takes: excerpts and contexts
      become fewer.
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
    """What the words need: alignments by system and with what holds no relations, the vectors at every layer and at the best,
    the match of words, the tables of matches, readings in bits, and why there are none."""

    aligned: Mapping[str, states.Alignment]
    nulls: Mapping[str, states.Alignment]
    layers: Mapping[str, Float[np.ndarray, "n d"]]
    vectors: Float[np.ndarray, "n d"]
    matched: Match | None
    tables: tuple[DetailTable, ...] = ()
    read: bits.NetworkBits | None = None
    why: str = ""
