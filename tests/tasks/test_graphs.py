"""Small worlds: every answer by a second route that reads the text, and what is kept from training."""

import pickle
import re
from itertools import pairwise

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.graph import FeedsGraphs, GivesGraphs, distances
from assay.task import SPLITS
from assay.tasks import load_task
from assay.tasks.graphs import MOST_STEPS, Graphs, far_apart
from assay.tasks.relation_trees import MOST_NAMES, WORLDS, names

WORLD_NAMES = tuple(WORLDS)
EDGE = [  # head, relation and dependent of a sentence, with a second dependent in arithmetic
    re.compile(r"(?P<h>[A-Z]\w+) is (?P<d>[A-Z]\w+) (?P<r>\w+) (?P<s>[A-Z]\w+)"),
    re.compile(r"(?P<d>[A-Z]\w+) (?P<r>\w+) (?P<s>[A-Z]\w+) makes (?P<h>[A-Z]\w+)"),
    re.compile(r"(?P<d>[A-Z]\w+) is (?P<r>\w+) of (?P<h>[A-Z]\w+)"),
    re.compile(r"(?P<r>\w+) of (?P<h>[A-Z]\w+) is (?P<d>[A-Z]\w+)"),
    re.compile(r"(?P<d>[A-Z]\w+) follows (?P<h>[A-Z]\w+) on (?P<r>\w+)"),
    re.compile(r"on (?P<r>\w+) (?P<h>[A-Z]\w+) precedes (?P<d>[A-Z]\w+)"),
]


def drawn(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def said(task: Graphs, tokens: torch.Tensor) -> str:
    return " ".join(task.vocabulary[index] for index in tokens.tolist())


def read(text: str) -> set[tuple[str, str, str]]:
    """The edges that a text tells."""
    edges = set()
    for sentence in filter(None, (part.strip() for part in text.split("."))):
        (found,) = [match for match in (pattern.fullmatch(sentence) for pattern in EDGE) if match]
        second = found.groupdict().get("s")
        edges.add((found["h"], found["d"], found["r"] + ("-left" if second else "")))
        edges |= {(found["h"], second, found["r"] + "-right")} if second else set()
    return edges


def answer(edges: set[tuple[str, str, str]], kind: str, first: str, second: str) -> str:
    """By breadth-first search, or by looking for the fact."""
    if kind == "relation":
        told = {(head, dependent): name for head, dependent, name in edges}
        if (first, second) in told:
            return f"{told[first, second]}, first is head"
        return f"{told[second, first]}, second is head"
    reached, steps = {first}, 0
    while second not in reached:
        near = {(a, b) for head, dependent, _ in edges for a, b in ((head, dependent), (dependent, head))}
        reached |= {b for a, b in near if a in reached}
        steps += 1
    return f"{min(steps, MOST_STEPS)} steps"


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("world", WORLD_NAMES)
def test_every_answer_by_reading_the_text(world, split):
    task = Graphs(world=world, size=7, novel="both")
    examples = task.examples(split, 60, generator=drawn())
    assert len(examples) == 60
    for tokens, target in zip(examples.inputs["tokens"], examples.targets.tolist(), strict=True):
        text, _, question = said(task, tokens).rpartition(" . ")
        kind, first, second, mark = question.split()
        assert mark == "?"
        assert answer(read(text), kind, first, second) == task.answers[target]


@pytest.mark.parametrize("world", WORLD_NAMES)
def test_graphs_are_what_their_texts_tell(world):
    task = Graphs(world=world, size=7)
    for graph in task.graphs("test", 30, generator=drawn()):
        assert graph.is_tree
        assert len(graph) == 7
        name = [graph.words[places[0]] for places in graph.mentions]
        assert all(graph.words[place] == name[node] for node, places in enumerate(graph.mentions) for place in places)
        assert {(name[head], name[dependent], relation) for head, dependent, relation in graph.edges} == read(
            graph.text.strip(". ")
        )
        heads = torch.tensor([[max(head, 0) for head in graph.head]])
        assert far_apart(heads)[0].equal(distances(graph).long())


@pytest.mark.parametrize("world", WORLD_NAMES)
@pytest.mark.parametrize("novel", ["names", "relations", "both"])
def test_what_is_new_never_occurs_in_training(world, novel):
    task = Graphs(world=world, novel=novel)
    words = {
        split: {word for graph in task.graphs(split, 400, generator=drawn()) for word in graph.words}
        for split in ("train", "dev", "test")
    }
    kept = set(WORLDS[world].relations[len(WORLDS[world].relations) - WORLDS[world].num_new :])
    is_name = {split: {word for word in found if word[0].isupper()} for split, found in words.items()}
    assert not kept & (words["train"] | words["dev"])
    assert (kept <= words["test"]) == (novel != "names")
    assert bool(is_name["train"] & is_name["test"]) == (novel == "relations")
    assert len(is_name["train"]) == 300, "all names that may be trained are"


def test_few_trained_names_are_some_of_the_same_and_the_novel_ones_stay():
    few, all_of_them = Graphs(size=3, num_names=40, trained_names=8), Graphs(size=3, num_names=40)
    assert few.vocabulary == all_of_them.vocabulary
    used = {}
    for name, task in (("few", few), ("all", all_of_them)):
        for split in SPLITS:
            tokens = task.examples(split, 400, generator=drawn()).inputs["tokens"]
            used[name, split] = {task.vocabulary[index] for index in tokens.unique().tolist()} & set(names(40))
    assert used["few", "train"] == used["few", "seen"] < used["all", "train"]
    assert [len(used["few", split]) for split in SPLITS] == [8, 8, 10]
    assert used["few", "novel"] == used["all", "novel"]
    assert load_task(few.address) == few


@pytest.mark.parametrize("novel", ["relations", "both"])
def test_every_novel_text_has_a_new_relation(novel):
    task = Graphs(world="social", novel=novel)
    for graph in task.graphs("test", 100, generator=drawn()):
        assert {"tenant", "guest"} & set(graph.relations)


def test_texts_of_training_and_of_checking_are_apart():
    task = Graphs(size=3, num_names=12)
    texts = {split: {graph.text for graph in task.graphs(split, 3000, generator=drawn(3))} for split in ("train", "dev")}
    assert not texts["train"] & texts["dev"]
    examples = {split: task.examples(split, 3000, generator=drawn(4)) for split in ("train", "seen")}
    rows = {split: {said(task, row[:-4]) for row in some.inputs["tokens"]} for split, some in examples.items()}
    assert not rows["train"] & rows["seen"]
    assert len(rows["seen"]) > 100


@pytest.mark.parametrize("world", WORLD_NAMES)
def test_combinations_are_those_of_the_examples(world):
    for novel in ("names", "relations", "both"):
        task = Graphs(world=world, size=7, novel=novel)
        for split in SPLITS:
            examples = task.examples(split, 1500, generator=drawn())
            rows = torch.stack([examples.parts[name] for name in task.combines], 1).unique(dim=0)
            assert rows.equal(task.combinations(split).unique(dim=0))
            assert examples.targets.equal(examples.parts["asked"])
        assert not {tuple(row) for row in task.combinations("novel").tolist()} & {
            tuple(row) for row in task.combinations("seen").tolist()
        }


def test_the_question_alone_tells_nothing():
    """The best guess from the kind of question scores what the commonest answer of that kind does."""
    task = Graphs(size=5)
    examples = task.examples("train", 20_000, generator=drawn())
    tokens, targets = examples.inputs["tokens"], examples.targets
    counts = {kind: targets[tokens[:, -4] == task.vocabulary.index(kind)].bincount().float() for kind in ("steps", "relation")}
    assert counts["steps"].max() / counts["steps"].sum() < 0.36
    assert counts["relation"].max() / counts["relation"].sum() < 0.16
    order = tokens[:, -3] < tokens[:, -2]  # whether the first name comes first in the vocabulary
    shares = [targets[order == side].bincount(minlength=12).float() / (order == side).sum() for side in (False, True)]
    assert (shares[0] - shares[1]).abs().max() < 0.02


def test_metro_lines_go_on_and_other_relations_do_not():
    share = {}
    for world in ("metro", "social"):
        found = [
            one[2] == other[2]
            for graph in Graphs(world=world, size=7).graphs("train", 300, generator=drawn())
            for one, other in pairwise(graph.edges)
            if other[0] == one[1]
        ]
        share[world] = sum(found) / len(found)
    assert share["metro"] > 0.6 > 0.4 > share["social"]


def test_inputs_of_graphs_put_every_word_in_its_place():
    task = Graphs(world="metro")
    graphs = task.graphs("test", 10, generator=drawn())
    fed = task.feed(graphs)
    assert fed.inputs["tokens"].shape == (10, task.input_spec.length)
    for graph, tokens, places in zip(graphs, fed.inputs["tokens"], fed.places, strict=True):
        assert tuple(task.vocabulary[index] for index in tokens[places].tolist()) == graph.words
        assert said(task, tokens[len(graph.words) :]) == "? ? ? ?"
    assert task.feed([]).inputs["tokens"].shape == (0, task.input_spec.length)
    with pytest.raises(AssayError, match=r"words of at most|of its own words.*unknown: follows"):
        Graphs(world="family").feed(graphs)


@pytest.mark.parametrize("n", [0, 1])
def test_few_examples_and_graphs(n: int):
    task = Graphs(world="arithmetic", novel="both")
    for split in SPLITS:
        assert task.examples(split, n, generator=drawn()).inputs["tokens"].shape == (n, task.input_spec.length)
    assert len(task.graphs("dev", n, generator=drawn())) == n


def test_draws_follow_the_generator_alone():
    task = Graphs()
    for split in SPLITS:
        one, same, other = (task.examples(split, 40, generator=drawn(seed)) for seed in (0, 0, 1))
        assert one.inputs["tokens"].equal(same.inputs["tokens"])
        assert not one.inputs["tokens"].equal(other.inputs["tokens"])
    kept = [
        {word for graph in Graphs(seed=seed).graphs("test", 200, generator=drawn()) for word in graph.words} for seed in (0, 1)
    ]
    assert kept[0] != kept[1]


def test_names_are_all_different():
    assert len(set(names(MOST_NAMES))) == MOST_NAMES
    assert names(0) == ()
    assert names(5) == names(9)[:5]


def test_abilities_and_address():
    for task in (Graphs(), Graphs(world="arithmetic", size=9, novel="both", seed=2, num_names=100)):
        assert load_task(task.address) == task
        assert isinstance(task, GivesGraphs)
        assert isinstance(task, FeedsGraphs)
        assert pickle.loads(pickle.dumps(task)) == task
    assert load_task("graphs:metro").world == "metro"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("graphs:city", r"world must be one of its choices\. Given: city"),
        ("graphs:size=2", r"size must be a whole number from 3 to 64. Given: 2"),
        ("graphs:arithmetic,size=6", r"odd in arithmetic.*Given: world=arithmetic, size=6"),
        ("graphs:num_names=19", r"at least four times the size, and at most 4900\. Given: num_names=19, size=5"),
        ("graphs:num_names=5000", r"Given: num_names=5000"),
        ("graphs:trained_names=4", r"at least the size, and at most 300 of 400 names\. Given: trained_names=4, size=5"),
        ("graphs:trained_names=301", r"Given: trained_names=301"),
        ("graphs:novel=all", r"novel must be one of its choices\. Given: all"),
    ],
)
def test_mistakes_in_options(address: str, message: str):
    with pytest.raises(AssayError, match=message):
        load_task(address)
