"""Human judgements of word relations: pairs with ratings of similarity, and analogies."""

import csv
import io
import math
from pathlib import Path
from typing import NamedTuple

from assay.bounds import read_bytes
from assay.data.registry import fetch
from assay.errors import AssayError

_MOST = 2**24
_FILES = {
    "men": "word-similarity/monolingual/en/men.csv",
    "wordsim similarity": "word-similarity/monolingual/en/wordsim353-sim.csv",
    "wordsim relatedness": "word-similarity/monolingual/en/wordsim353-rel.csv",
}
RATED = tuple(_FILES)


class RatedPair(NamedTuple):
    """Two words in lower case, and how similar people find them."""

    first: str
    second: str
    rating: float


class Analogy(NamedTuple):
    """`first` is to `second` as `third` is to `answer`; `kind`: of the relation."""

    kind: str
    first: str
    second: str
    third: str
    answer: str


def rated_pairs(name: str) -> list[RatedPair]:
    """The pairs of `men`, or of one half of WordSim-353, `wordsim similarity` or `wordsim relatedness`. Suffixes for the part
    of speech, as in `sun-n`, are dropped.

    **Raises:** `AssayError` for another name.
    """
    if name not in _FILES:
        raise AssayError("there are no such ratings", given=name, choices=RATED)
    return read_rated_pairs(fetch("word_relations", _FILES[name]))


def read_rated_pairs(path: Path) -> list[RatedPair]:
    """Pairs from a CSV with columns `word1`, `word2` and `similarity`. Rows without a rating are left out.

    **Raises:** `AssayError` naming the line of a rating that is no number.
    """
    found = []
    for number, row in enumerate(_rows(path, ("word1", "word2", "similarity")), 2):
        if not row["similarity"] or not row["word1"]:
            continue
        try:
            rating = float(row["similarity"])
        except ValueError:
            rating = math.nan
        if not math.isfinite(rating):
            raise AssayError("a rating must be a number", given=f"{path}, line {number}: {row['similarity']}")
        found.append(RatedPair(_plain(row["word1"]), _plain(row["word2"]), rating))
    return found


def analogies() -> list[Analogy]:
    """Google's analogies, in lower case."""
    path = fetch("word_relations", "word-analogy/monolingual/en/google-analogies.csv")
    names = ("type", "word1", "word2", "word3", "target")
    return [Analogy(row["type"], *(row[name].lower() for name in names[1:])) for row in _rows(path, names)]


def _plain(word: str) -> str:
    stem, mark, tag = word.rpartition("-")
    return (stem if mark and tag in ("n", "v", "j") else word).lower()


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    text = read_bytes(path, most=_MOST).decode("utf-8", errors="replace")
    reader = csv.DictReader(io.StringIO(text), restval="")
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        raise AssayError("a file of word pairs must have its columns", given=f"{path} without {', '.join(missing)}")
    return [dict(row) for row in reader]
