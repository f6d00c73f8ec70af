"""Registered corpora as texts: the Gutenberg selection, tiny Shakespeare, Genesis in three languages, WikiText-2, PUD."""

from functools import lru_cache
from typing import Literal, NamedTuple

from assay.data.conllu import read_conllu
from assay.data.registry import fetch, get
from assay.text.corpus import Corpus, decoded

Language = Literal["en", "fr", "sv", "de"]
_GENESIS = {
    "en": ("genesis/english-kjv.txt", "ascii"),
    "fr": ("genesis/french.txt", "latin-1"),
    "sv": ("genesis/swedish.txt", "cp437"),
}
"""Languages with the true encoding of each file."""
HALF_A = (
    "austen-emma",
    "blake-poems",
    "burgess-busterbrown",
    "chesterton-ball",
    "chesterton-thursday",
    "edgeworth-parents",
    "milton-paradise",
    "shakespeare-hamlet",
)
"""Books of the first half of the Gutenberg selection (`text:gutenberg_a`); all others are in the second.

Example::

    >>> from assay.data.texts import HALF_A
    >>> "austen-emma" in HALF_A, "austen-persuasion" in HALF_A
    (True, False)
"""


class Books(NamedTuple):
    """Books, sorted by name."""

    names: tuple[str, ...]
    texts: tuple[str, ...]


@lru_cache(maxsize=1)
def gutenberg() -> Books:
    """The 17 books of the Gutenberg selection, one tokenised sentence a line."""
    names = get("gutenberg").hashes
    texts = tuple(decoded(fetch("gutenberg", name).read_bytes(), name) for name in names)
    return Books(tuple(name.removesuffix(".txt") for name in names), texts)


def gutenberg_corpus(half: Literal["", "a", "b"] = "", *, held_out: float = 0.1) -> Corpus:
    """The Gutenberg selection with the last tenth of every book held out. Halves a and b share no book."""
    books = gutenberg()
    kept = [text for name, text in zip(*books, strict=True) if not half or (half == "a") == (name in HALF_A)]
    return Corpus.divided(f"gutenberg{f', half {half}' if half else ''}", kept, held_out=held_out)


def tiny_shakespeare() -> Corpus:
    """Tiny Shakespeare with the last tenth held out.

    Example::

        >>> from assay.data.texts import tiny_shakespeare
        >>> corpus = tiny_shakespeare()
        >>> corpus.train[0][:14], corpus.num_bytes
        ('First Citizen:', 111539)
    """
    content = fetch("tinyshakespeare", "input.txt").read_bytes()
    return Corpus.divided("tinyshakespeare", [decoded(content, "input.txt")])


def genesis(language: Literal["en", "fr", "sv"] = "en") -> str:
    """The book of Genesis in English (1611), French (1910) or Swedish (1917)."""
    name, encoding = _GENESIS[language]
    content = fetch("genesis", name).read_bytes()
    # The Swedish file mixes code pages: its quotation marks differ from its letters.
    return content.replace(b"\xbd", b'"').decode(encoding) if encoding == "cp437" else content.decode(encoding)


def wikitext2() -> Corpus:
    """WikiText-2: the validation part for training, the test part held out. Rare words are `<unk>`: its bits are not those of
    plain text."""
    train, test = (decoded(fetch("wikitext2", name).read_bytes(), name) for name in ("valid.txt", "test.txt"))
    return Corpus("wikitext2", (train,), (test,))


def parallel_sentences(language: Language = "en") -> list[str]:
    """The thousand sentences of PUD in English, French or German, aligned across languages by index."""
    name = f"{language}_pud-ud-test.conllu"
    path = next(path for path in get("ud_pud_parallel").hashes if path.endswith(name))
    return [graph.text for graph in read_conllu(fetch("ud_pud_parallel", path))]


@lru_cache(maxsize=1)
def english_tags() -> dict[str, str]:
    """The most frequent part of speech of every word of the English Web Treebank."""
    from collections import Counter

    counts: dict[str, Counter[str]] = {}
    path = next(path for path in get("ud_english_ewt").hashes if path.endswith("train.conllu"))
    for graph in read_conllu(fetch("ud_english_ewt", path)):
        for word, tag in zip(graph.words, graph.tags, strict=False):
            counts.setdefault(word.lower(), Counter())[tag] += 1
    return {word: max(sorted(tags), key=tags.__getitem__) for word, tags in counts.items()}
