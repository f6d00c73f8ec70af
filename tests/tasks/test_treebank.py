"""Treebanks: the division, the filters and their counts, and what a network is given."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import Generator

from assay.data.registry import MIRROR_VARIABLE
from assay.errors import AssayError
from assay.graph import FeedsGraphs, GivesGraphs, Graph
from assay.task import SPLITS, Task
from assay.tasks import load_task
from assay.tasks.treebank import GRAPH_SPLITS, Treebank, as_bytes

ALL = 10**9


def line(number: int, word: str, head: int, relation: str) -> str:
    return f"{number}\t{word}\t_\tNOUN\t_\t_\t{head}\t{relation}\t_\t_\n"


def pair(first: str, second: str, relation: str = "amod") -> str:
    """A sentence of two words whose head is the second."""
    return line(1, first, 2, relation) + line(2, second, 0, "root") + "\n"


def write(folder: Path, content: str) -> Path:
    path = folder / "own.conllu"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A hundred different sentences, one of them twice, one word alone, an address, and one of five words."""
    sentences = [pair(f"adjective{k}", "noun", "amod" if k % 2 else "nmod:of") for k in range(100)]
    odd = [pair("adjective7", "noun"), line(1, "Yes", 0, "root") + "\n", pair("mail", "a@b")]
    long = "".join(line(k, f"w{k}", 0 if k == 1 else 1, "root" if k == 1 else "dep") for k in range(1, 6)) + "\n"
    return write(tmp_path, "".join([*sentences, *odd, long]))


def sides(task: Treebank) -> dict[str, tuple[Graph, ...]]:
    return {split: task.graphs(split, ALL, generator=Generator().manual_seed(0)) for split in GRAPH_SPLITS}


def test_a_file_of_ones_own_is_divided_and_nothing_is_lost(own: Path):
    task = Treebank(file=own)
    found = sides(task)
    assert sum(map(len, found.values())) == 103
    texts = {split: {graph.words for graph in graphs} for split, graphs in found.items()}
    assert not texts["train"] & texts["dev"]
    assert not texts["train"] & texts["test"]
    assert not texts["dev"] & texts["test"]
    assert [len(texts[split]) for split in GRAPH_SPLITS] == [82, 10, 10]
    assert all(task.dropped(split) == {"fewer than 2 words": 1} for split in GRAPH_SPLITS)
    assert sides(Treebank(file=own, seed=1)) != found


def test_every_filter_tells_what_it_left_out(own: Path):
    task = Treebank(file=own, max_words=4, no_addresses=True)
    assert task.dropped("train") == {"fewer than 2 words": 1, "more than 4 words": 1, "an address": 1}
    assert sum(map(len, sides(task).values())) == 101
    assert Treebank(file=own, min_words=1).dropped("dev") == {}


def test_sentences_whose_words_are_withheld_are_left_out_and_counted(own: Path):
    own.write_text(own.read_text(encoding="utf-8") + pair("_", "_") * 4, encoding="utf-8")
    task = Treebank(file=own)
    assert task.dropped("train") == {"withheld words": 4, "fewer than 2 words": 1}
    assert not any("_" in graph.words for graphs in sides(task).values() for graph in graphs)
    alone = own.parent / "withheld.conllu"
    alone.write_text(pair("_", "_") * 30, encoding="utf-8")
    with pytest.raises(AssayError, match="withheld words"):
        Treebank(file=alone)


def test_graphs_are_drawn_without_replacement(own: Path):
    task = Treebank(file=own)
    some, same, other = (task.graphs("train", 20, generator=Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert some == same != other
    assert len(some) == 20
    assert task.graphs("train", 0, generator=Generator()) == ()


def test_an_example_is_an_edge_and_its_sentence(own: Path):
    task = Treebank(file=own)
    assert task.part("relation").values == ("amod", "dep", "nmod")
    examples = task.examples("train", 300, generator=Generator().manual_seed(0))
    texts = [bytes(row.tolist()).rstrip(b"\0").decode() for row in examples.inputs["text"]]
    for text, relation, direction in zip(texts, examples.parts["relation"], examples.parts["direction"], strict=True):
        if text.startswith("adjective"):
            assert relation == (0 if int(text[9:].split()[0]) % 2 else 2)
            assert direction == 1
    assert examples.targets.equal(examples.parts["relation"])
    assert (task.score(torch.zeros(300, 7), examples) == 0).all()


def test_seen_and_novel_pairs_of_relation_and_side(tmp_path: Path):
    """With one edge each, a relation of the test split is either in the train split or is not."""
    task = Treebank(file=write(tmp_path, "".join(pair("w", str(k), f"r{k % 7}") for k in range(60)) + pair("w", "x", "rare")))
    rows = {split: {tuple(row) for row in task.combinations(split).tolist()} for split in SPLITS}
    assert rows["train"] == rows["seen"]
    assert not rows["novel"] & rows["train"]
    tested = task.graphs("test", ALL, generator=Generator())
    drawn = [task.examples(split, ALL, generator=Generator()) for split in ("seen", "novel")]
    assert sum(map(len, drawn)) == sum(len(graph.edges) for graph in tested)
    for split, examples in zip(("seen", "novel"), drawn, strict=True):
        assert {tuple(row) for row in torch.stack([*examples.parts.values()], 1).tolist()} <= rows[split]
    assert len(task.examples("train", 0, generator=Generator())) == 0


def test_texts_as_bytes():
    assert as_bytes([]).shape == (0, 0)
    assert as_bytes(["é", "abc"]).tolist() == [[0xC3, 0xA9, 0], [97, 98, 99]]


def test_abilities_and_address(own: Path):
    task = Treebank(file=own, max_words=9, seed=3)
    assert isinstance(task, Task)
    assert isinstance(task, GivesGraphs)
    assert not isinstance(task, FeedsGraphs)
    assert load_task(task.address) == task
    assert pickle.loads(pickle.dumps(task)) == task
    assert load_task("treebank:en_pud,no_addresses=true").address == "treebank:en_pud,no_addresses=True"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pair("a", "b"), r"must have sentences to fit on.*Given: 1 different\. Next: give a file with more"),
        (pair("a", "b") * 5, r"Given: 1 different"),
        (line(1, "Yes", 0, "root") + "\n" + pair("a", "b"), r"Given: 1 different; 1 with fewer than 2 words left out"),
        ("", r"Given: 0 different"),
        (pair("a", "b") + line(1, "w", 4, "dep"), r"own\.conllu, line 4, column 7 \(HEAD\)"),
    ],
    ids=["one sentence", "one sentence again and again", "one sentence and a word", "no sentence", "malformed"],
)
def test_too_little_or_malformed_is_told_when_the_task_is_made(tmp_path: Path, content: str, message: str):
    with pytest.raises(AssayError, match=message):
        Treebank(file=write(tmp_path, content))


def test_sentences_of_our_own_are_a_treebank():
    task = Treebank(name="en_nested")
    assert load_task("treebank:en_nested") == task
    assert len(task.continuations(8, generator=Generator().manual_seed(0))) == 8
    found = sides(task)
    words = [{graph.words for graph in graphs} for graphs in found.values()]
    assert [len(one) for one in words] == [3_200, 400, 400]
    assert sum(map(len, words)) == len(set.union(*words))
    assert {graph.sentence_id for graph in found["test"]} == {"short", "interposed", "relative", "nested"}
    assert sides(Treebank(name="en_nested", seed=1)) != found
    assert sides(Treebank(name="en_nested", max_words=4))["dev"][0].sentence_id == "short"


def test_three_sentences_are_enough_for_one_on_each_side(tmp_path: Path):
    found = sides(Treebank(file=write(tmp_path, pair("a", "b") + pair("c", "d") + pair("e", "f", "nmod"))))
    assert [len(graphs) for graphs in found.values()] == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_words": 0}, r"max_words must be at least min_words"),
        ({"min_words": 5, "max_words": 4}, r"Given: min_words=5, max_words=4"),
        ({"file": Path("nowhere.conllu")}, r"nowhere\.conllu must be readable"),
    ],
)
def test_mistakes_in_options(options, message: str):
    with pytest.raises(AssayError, match=message):
        Treebank(**options)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(AssayError, match=r"name must be one of its choices\. Given: en_ewtt.*Did you mean en_ewt"):
        load_task("treebank:en_ewtt")


def test_nothing_can_be_trained_on_a_treebank(own: Path):
    task = Treebank(file=own)
    with pytest.raises(AssayError, match="only on a task that scores"):
        task.loss(torch.zeros(2, 3), task.examples("train", 2, generator=Generator()))


PUBLISHED = {"fr_sequoia": (2231, 412, 456), "fr_pud": (800, 100, 100)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_treebanks(name: str):
    if not (Path(os.environ.get(MIRROR_VARIABLE, "")) / "ud_pud_parallel").is_dir():
        pytest.skip("no mirror with treebanks here")
    task = Treebank(name=name)
    found = sides(task)
    whole = tuple(len(graphs) + sum(task.dropped(split).values()) for split, graphs in found.items())
    assert whole == PUBLISHED[name]
    assert {"nsubj", "obj", "det", "case", "punct"} <= set(task.part("relation").values)
    assert not any(":" in relation for relation in task.part("relation").values)
    assert any(":" in relation for graph in found["dev"] for relation in graph.relation), "sub-types are kept in the graph"
    assert all(graph.is_tree and len(graph) > 1 for graph in found["dev"])
