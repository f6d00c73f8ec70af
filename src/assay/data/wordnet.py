"""Nouns of WordNet: hypernyms, path lengths between nouns, and their 26 classes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int

from assay.bounds import read_bytes
from assay.data.registry import fetch
from assay.errors import AssayError

CLASSES = (
    *("Tops", "act", "animal", "artifact", "attribute", "body", "cognition", "communication", "event", "feeling", "food"),
    *("group", "location", "motive", "object", "person", "phenomenon", "plant", "possession", "process", "quantity"),
    *("relation", "shape", "state", "substance", "time"),
)
"""The lexicographer files 3 to 28 of nouns (lexnames(5WN))."""
_FIRST_CLASS = 3
_MOST = 2**26


@dataclass(frozen=True)
class WordNet:
    """The nouns of WordNet.

    **Attributes:**

    - `senses`: for every lemma its synsets, the most frequent first; spaces are written `_`.
    - `above`: for every synset those that it is a kind or an instance of.
    - `classes`: for every synset the index of its class in `CLASSES`.

    Example::

        nouns = wordnet_nouns()
        assert nouns.class_of("dog") == "animal"
    """

    senses: Mapping[str, tuple[int, ...]]
    above: Mapping[int, tuple[int, ...]]
    classes: Mapping[int, int]

    def known(self, words: Collection[str]) -> list[str]:
        """Those of the words that are nouns, in their order."""
        return [word for word in words if word in self.senses]

    def class_of(self, word: str) -> str:
        """The class of the most frequent sense. **Raises:** `AssayError` for a word that is no noun."""
        return CLASSES[self.classes[self._senses(word)[0]]]

    def distances(self, words: Sequence[str]) -> Int[np.ndarray, "n n"]:
        """Length of the shortest path between any senses of two words, up to a common hypernym and down again.

        **Raises:** `AssayError` for a word that is no noun.
        """
        columns: dict[int, int] = {}
        far = 100
        rows = [self._ups(word) for word in words]
        for row in rows:
            for synset in row:
                columns.setdefault(synset, len(columns))
        steps = np.full((len(words), max(1, len(columns))), far, dtype=np.int16)
        for k, row in enumerate(rows):
            for synset, num in row.items():
                steps[k, columns[synset]] = num
        found = np.empty((len(words), len(words)), dtype=np.int64)
        for k in range(len(words)):
            found[k] = (steps + steps[k]).min(1)
        np.fill_diagonal(found, 0)
        return found

    def _senses(self, word: str) -> tuple[int, ...]:
        if word not in self.senses:
            raise AssayError("a word must be a noun of WordNet", given=word, next_step="keep those that `known` returns")
        return self.senses[word]

    def _ups(self, word: str) -> dict[int, int]:
        """Every synset above any sense of a word, with the length of the shortest path to it."""
        found: dict[int, int] = {}
        for synset in self._senses(word):
            for above, steps in self._ancestors(synset).items():
                found[above] = min(steps, found.get(above, steps))
        return found

    @cached_property
    def _known_ancestors(self) -> dict[int, dict[int, int]]:
        return {}

    def _ancestors(self, synset: int) -> dict[int, int]:
        if synset not in self._known_ancestors:
            found, level, steps = {synset: 0}, [synset], 0
            while level:
                steps += 1
                level = list({one for below in level for one in self.above.get(below, ()) if one not in found})
                found.update(dict.fromkeys(level, steps))
            self._known_ancestors[synset] = found
        return self._known_ancestors[synset]


@lru_cache(maxsize=1)
def wordnet_nouns() -> WordNet:
    """The nouns of WordNet 3.1."""
    return read_wordnet(fetch("wordnet31", "index.noun"), fetch("wordnet31", "data.noun"))


def read_wordnet(index: Path, data: Path) -> WordNet:
    """Nouns from their two database files (wndb(5WN)). **Raises:** `AssayError` naming file and line of a damaged row."""
    senses, above, classes = {}, {}, {}
    for number, fields in _rows(index):
        try:
            num, pointers = int(fields[2]), int(fields[3])
            offsets = tuple(map(int, fields[6 + pointers : 6 + pointers + num]))
            if not offsets or len(offsets) != num:
                raise ValueError("its senses are cut off")
        except (ValueError, IndexError) as error:
            raise _damaged(index, number, error) from error
        senses[fields[0]] = offsets
    for number, fields in _rows(data):
        try:
            first = 4 + 2 * int(fields[3], 16)
            pointers = [fields[first + 1 + 4 * k : first + 3 + 4 * k] for k in range(int(fields[first]))]
            above[int(fields[0])] = tuple(int(offset) for symbol, offset in pointers if symbol in ("@", "@i"))
            classes[int(fields[0])] = int(fields[1]) - _FIRST_CLASS
        except (ValueError, IndexError) as error:
            raise _damaged(data, number, error) from error
    return WordNet(senses, above, classes)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Every line outside the licence text, with its number."""
    text = read_bytes(path, most=_MOST).decode("utf-8", errors="replace")
    return [(k, line.split(" ")) for k, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("  ")]


def _damaged(path: Path, number: int, error: Exception) -> AssayError:
    return AssayError("a row of WordNet must be whole", given=f"{path}, line {number}: {error}", next_step="fetch it again")
