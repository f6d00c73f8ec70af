"""Treebanks: sentences with gold dependency trees, for probes of syntax in a language model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Int, UInt8
from torch import Generator, Tensor

from assay.bounds import check_seed
from assay.data.conllu import read_conllu, withheld
from assay.data.registry import fetch, get
from assay.errors import AssayError
from assay.graph import Continuation, Graph, GraphSplit, coarse
from assay.objective import Unscored
from assay.stats import keyed_generator
from assay.task import Examples, Part, Split, Task, draw_rows
from assay.tasks.nested import nested_sentences
from assay.tasks.tuples import unravel

Name = Literal["en_ewt", "fr_sequoia", "fr_gsd", "en_pud", "fr_pud", "de_pud", "en_nested"]
NESTED = "en_nested"
_NUM_NESTED = 4_000
GRAPH_SPLITS: tuple[GraphSplit, ...] = get_args(GraphSplit)
_SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
_OWN: dict[GraphSplit, str] = {split: split for split in GRAPH_SPLITS}
_ONE: dict[GraphSplit, str] = dict.fromkeys(GRAPH_SPLITS, "test")
_FILES: Mapping[str, tuple[str, Mapping[GraphSplit, str]]] = {
    "en_ewt": ("ud_english_ewt", _OWN),
    "fr_sequoia": ("ud_french_sequoia", _OWN),
    "fr_gsd": ("ud_french_gsd", {"train": "dev", "dev": "dev", "test": "test"}),
    "en_pud": ("ud_pud_parallel", _ONE),
    "fr_pud": ("ud_pud_parallel", _ONE),
    "de_pud": ("ud_pud_parallel", _ONE),
}
"""Data set, and the file of every split; splits with the same file divide it."""
DIRECTIONS = ("head before", "head behind")


class _Edges(NamedTuple):
    """Every edge of a split: its sentence, and the values of the parts."""

    sentence: Int[Tensor, " edges"]
    relation: Int[Tensor, " edges"]
    direction: Int[Tensor, " edges"]


@dataclass(frozen=True, kw_only=True)
class Treebank(Task):
    """Sentences and their trees, for reading a network's states; its outputs are not scored.

    One example is one edge of a tree. Its input is `text`, uint8 `(n, bytes)`: the words of its sentence joined by blanks, in
    UTF-8, padded with 0. Parts are its relation (without sub-type) and on which side the head is; their pair is the
    combination. `train` are the edges of the train split; `seen` and `novel` are those of the test split whose pair does, and
    does not, occur in the train split.

    **Arguments:**

    - `name`: `en_ewt`, `fr_sequoia`, `fr_gsd`, `en_pud`, `fr_pud` or `de_pud`. Of GSD the published dev file is divided into
      train and dev; PUD is published as one file, which is divided into all three. `en_nested` are sentences of our own, those
      of `continuations`.
    - `file`: a CoNLL-U file instead of a named treebank, divided 8 : 1 : 1. Repeated sentences are on one side.
    - `min_words`, `max_words`: of a sentence; others are left out. A sentence of one word has no edge.
    - `no_addresses`: leave out every sentence with `.com` or `@`, as Diego-Simon et al. 2024 did.
    - `seed`: random seed of the division.

    **Raises:** `AssayError` when the treebank is not available or readable, or has too few sentences.

    Example::

        >>> from assay.tasks.treebank import Treebank
        >>> task = Treebank(name="en_nested", max_words=8)
        >>> (graph,) = task.graphs("train", 1, generator=torch.Generator().manual_seed(0))
        >>> graph.text, graph.edges[0]
        ('the lawyers opposite the driver wait .', (1, 0, 'det'))
    """

    name: Name = "en_ewt"
    file: Path | None = None
    min_words: int = 2
    max_words: int | None = None
    no_addresses: bool = False
    seed: int = 0
    combines = ("relation", "direction")
    input_spec = None
    objective = Unscored()

    def __post_init__(self):
        if self.name not in get_args(Name):
            raise AssayError("treebank: there is no such treebank", given=self.name, choices=get_args(Name))
        check_seed("treebank: seed", self.seed)
        if self.min_words < 1 or (self.max_words is not None and self.max_words < self.min_words):
            given = f"min_words={self.min_words}, max_words={self.max_words}"
            raise AssayError("treebank: max_words must be at least min_words, and that at least 1", given=given)
        if self.file is not None:
            object.__setattr__(self, "file", self.file.absolute())
            _sentences(self)  # raise here, not at the first draw

    @property
    def address(self) -> str:
        usual = {"min_words": 2, "max_words": None, "no_addresses": False, "seed": 0}
        given = [f"{key}={getattr(self, key)}" for key, value in usual.items() if getattr(self, key) != value]
        return "treebank:" + ",".join([self.name if self.file is None else f"file={self.file}", *given])

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return Part("relation", _relations(self)), Part("direction", DIRECTIONS)

    def graphs(self, split: GraphSplit, n: int, *, generator: Generator) -> tuple[Graph, ...]:
        """Sentences with their trees (`assay.graph.GivesGraphs`)."""
        sentences = _sentences(self)[split].kept
        return tuple(sentences[row] for row in draw_rows(len(sentences), n, replacement=False, generator=generator).tolist())

    def continuations(self, n: int, *, generator: Generator) -> tuple[Continuation, ...]:
        """Sentences of our own in which the main verb agrees with its subject; English only
        (`assay.graph.GivesContinuations`)."""
        is_english = self.file is None and self.name.startswith("en_")
        return nested_sentences(n, generator=generator) if is_english else ()

    def dropped(self, split: GraphSplit) -> Mapping[str, int]:
        """The number of sentences left out by each filter. A sentence counts for the first that applies."""
        return dict(_sentences(self)[split].dropped)

    def combinations(self, split: Split) -> Int[Tensor, "c 2"]:
        edges = self._edges("novel" if split == "novel" else "train")
        return unravel(self.combination_id(edges._asdict()).unique(), [len(part.values) for part in self.parts])

    def examples(self, split: Split, n: int, *, generator: Generator) -> Examples:
        edges = self._edges(split)
        rows = draw_rows(len(edges.sentence), n, replacement=split == "train", generator=generator)
        sentences = _sentences(self)["train" if split == "train" else "test"].kept
        parts = {"relation": edges.relation[rows], "direction": edges.direction[rows]}
        text = as_bytes([" ".join(sentences[index].words) for index in edges.sentence[rows].tolist()])
        return Examples({"text": text}, parts["relation"], parts, self.combination_id(parts))

    def _edges(self, split: Split) -> _Edges:
        """The edges of the train split, or those of the test split whose pair of relation and side does, or does not, occur in
        it."""
        trained = _all_edges(self, "train")
        if split == "train":
            return trained
        edges = _all_edges(self, "test")
        known = torch.isin(self.combination_id(edges._asdict()), self.combination_id(trained._asdict()))
        return _Edges(*(column[known if split == "seen" else ~known] for column in edges))


def as_bytes(texts: list[str]) -> UInt8[Tensor, "n bytes"]:
    """Texts as a tensor: UTF-8, padded with 0."""
    rows = [text.encode("utf-8") for text in texts]
    longest = max(map(len, rows), default=0)
    padded = bytearray(b"".join(row.ljust(longest, b"\0") for row in rows))
    return torch.frombuffer(padded, dtype=torch.uint8).view(len(rows), longest) if padded else torch.zeros(0, 0).byte()


# Cached reading, once per process


class _TreebankSide(NamedTuple):
    kept: tuple[Graph, ...]
    dropped: Mapping[str, int]


@lru_cache(maxsize=8)
def _sentences(task: Treebank) -> Mapping[GraphSplit, _TreebankSide]:
    """The sentences of every split, after the filters."""
    if task.file is None and task.name == NESTED:
        return _divided(_filtered(task, _nested()), list(GRAPH_SPLITS), seed=task.seed, address=task.address)
    files = dict.fromkeys(GRAPH_SPLITS, task.file) if task.file is not None else _registered(task.name)
    sides = {split: _filtered(task, _read(path)) for split, path in files.items()}
    for path in set(files.values()):
        sharing = [split for split in GRAPH_SPLITS if files[split] == path]
        if len(sharing) > 1:
            sides.update(_divided(sides[sharing[0]], sharing, seed=task.seed, address=task.address))
    for split, side in sides.items():
        if not side.kept:
            raise _too_few(task.address, f"none in {split}", side.dropped)
    return sides


def _registered(name: Name) -> dict[GraphSplit, Path]:
    data_set, stems = _FILES[name]
    paths = {stem: f"{name}-ud-{stem}.conllu" for stem in stems.values()}
    known = {path.rpartition("/")[2]: path for path in get(data_set).hashes}
    return {split: fetch(data_set, known[paths[stem]]) for split, stem in stems.items()}


@lru_cache(maxsize=1)
def _nested() -> tuple[Graph, ...]:
    drawn = nested_sentences(_NUM_NESTED, generator=keyed_generator(0, "nested treebank"))
    return tuple(sentence.graph for sentence in drawn)


@lru_cache(maxsize=16)
def _read(path: Path) -> tuple[Graph, ...]:
    return read_conllu(path)


def _filtered(task: Treebank, sentences: tuple[Graph, ...]) -> _TreebankSide:
    filters = {
        "withheld words": withheld,
        f"fewer than {task.min_words} words": lambda graph: len(graph) < task.min_words,
        f"more than {task.max_words} words": lambda graph: task.max_words is not None and len(graph) > task.max_words,
        "an address": lambda graph: task.no_addresses and any(sign in " ".join(graph.words) for sign in (".com", "@")),
    }
    reasons = [next((name for name, applies in filters.items() if applies(graph)), "") for graph in sentences]
    kept = tuple(graph for graph, reason in zip(sentences, reasons, strict=True) if not reason)
    return _TreebankSide(kept, {name: reasons.count(name) for name in filters if name in reasons})


def _divided(side: _TreebankSide, splits: list[GraphSplit], *, seed: int, address: str) -> dict[GraphSplit, _TreebankSide]:
    """One file divided into several splits. Sentences dropped from it are counted for each split, since they were in none."""
    texts = sorted({graph.words for graph in side.kept})
    if len(texts) < len(splits):
        raise _too_few(address, f"{len(texts)} different", side.dropped)
    order = torch.randperm(len(texts), generator=keyed_generator(seed, "treebank division")).tolist()
    whole = sum(_SHARES[split] for split in splits)
    held = {split: max(1, round(len(texts) * _SHARES[split] / whole)) for split in splits[1:]}
    names = [split for split, size in held.items() for _ in range(size)]
    home = {texts[row]: name for row, name in zip(order, names, strict=False)}
    found = {split: tuple(graph for graph in side.kept if home.get(graph.words, splits[0]) == split) for split in splits}
    return {split: _TreebankSide(kept, side.dropped) for split, kept in found.items()}


def _too_few(address: str, given: str, dropped: Mapping[str, int]) -> AssayError:
    left_out = "".join(f"; {count} with {reason} left out" for reason, count in dropped.items())
    return AssayError(
        f"{address} must have sentences to fit on, to choose on and to report on, at least one of each",
        given=f"{given}{left_out}",
        next_step="give a file with more sentences (a probe needs hundreds), or loosen the filters",
    )


@lru_cache(maxsize=8)
def _relations(task: Treebank) -> tuple[str, ...]:
    sides = _sentences(task).values()
    return tuple(sorted({relation for side in sides for graph in side.kept for relation in graph.relations}))


@lru_cache(maxsize=16)
def _all_edges(task: Treebank, split: GraphSplit) -> _Edges:
    number = {relation: index for index, relation in enumerate(_relations(task))}
    rows = [
        (index, number[coarse(relation)], int(head > dependent))
        for index, graph in enumerate(_sentences(task)[split].kept)
        for head, dependent, relation in graph.edges
    ]
    return _Edges(*torch.tensor(rows, dtype=torch.int64).view(-1, 3).unbind(1))
