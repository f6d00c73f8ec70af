"""Nested sentences: by hand, by a rule of agreement of their own, and balance."""

from collections import Counter

import pytest
from torch import Generator

from assay.graph import GivesContinuations, depths
from assay.tasks.nested import FAMILIES, INNER_VERBS, MAIN_VERBS, NOUNS, nested_sentences
from assay.tasks.treebank import Treebank

MANY = 400


@pytest.fixture(scope="module")
def sentences():
    return nested_sentences(MANY, generator=Generator().manual_seed(0))


def test_every_template_in_words():
    shown = {sentence.family: sentence.graph for sentence in nested_sentences(4, generator=Generator().manual_seed(1))}
    said = {family: " ".join(graph.words) for family, graph in shown.items()}
    assert list(said) == [family.name for family in FAMILIES]
    for family, words in said.items():
        assert words.split()[0] == "the"
        assert words.endswith(" .")
        assert ("that the" in words) == (family in ("relative", "nested"))
    assert [len(graph) for graph in shown.values()] == [4, 7, 8, 11]


def test_trees_are_legal_and_the_subject_hangs_on_the_main_verb(sentences):
    for sentence in sentences:
        graph = sentence.graph
        assert graph.is_tree
        assert graph.head[sentence.place] == -1
        assert graph.head[sentence.decides] == sentence.place
        assert graph.relation[sentence.decides] == "nsubj"
        for node, relation in enumerate(graph.relation):
            if relation == "nsubj":
                assert graph.words[node].removesuffix("s") in NOUNS
                assert graph.words[graph.head[node]].removesuffix("s") in (*MAIN_VERBS, *INNER_VERBS)
            if relation in ("det", "case"):
                assert graph.tags[graph.head[node]] == "NOUN"
                assert node < graph.head[node]
        assert int(depths(graph).max()) == {"short": 2, "interposed": 3, "relative": 4, "nested": 5}[sentence.family]


def test_every_verb_agrees_with_its_own_subject(sentences):
    """One of subject and verb ends in s, and no other noun decides."""
    for sentence in sentences:
        graph = sentence.graph
        for node, relation in enumerate(graph.relation):
            if relation == "nsubj":
                assert graph.words[node].endswith("s") != graph.words[graph.head[node]].endswith("s")
        assert {sentence.right, sentence.wrong} == {sentence.right.removesuffix("s"), sentence.right.removesuffix("s") + "s"}
        assert sentence.right.endswith("s") != graph.words[sentence.decides].endswith("s")


def test_attractors_are_told_from_the_words_between(sentences):
    for sentence in sentences:
        graph = sentence.graph
        between = {graph.words[k].endswith("s") for k in range(sentence.decides + 1, sentence.place) if graph.tags[k] == "NOUN"}
        own = graph.words[sentence.decides].endswith("s")
        assert sentence.attractor == ("none" if not between else "same" if between == {own} else "other")


def test_families_numbers_and_attractors_are_balanced(sentences):
    assert len(sentences) == MANY
    assert len({sentence.graph.words for sentence in sentences}) == MANY
    counts = Counter((s.family, s.attractor, s.right.endswith("s")) for s in sentences if s.family != "short")
    assert len(counts) == 3 * 2 * 2
    assert max(counts.values()) - min(counts.values()) <= 5
    short = Counter(s.right.endswith("s") for s in sentences if s.family == "short")
    assert min(short.values()) > 20


def test_neither_a_word_nor_a_position_tells_the_form(sentences):
    """The form of the nearest noun, of the verb before and of any one verb are right half of the time."""
    longer = [s for s in sentences if s.family in ("relative", "nested")]
    before = [s.graph.words[s.place - 1].endswith("s") == s.right.endswith("s") for s in longer]
    assert abs(sum(before) / len(before) - 0.5) < 0.1


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few(n: int):
    assert len(nested_sentences(n, generator=Generator().manual_seed(0))) == n


def test_draws_follow_the_generator_alone():
    one, same, other = (nested_sentences(30, generator=Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert one == same != other


def test_english_treebanks_give_them_and_others_give_none():
    english, french = Treebank(name="en_ewt"), Treebank(name="fr_sequoia")
    assert isinstance(english, GivesContinuations)
    assert len(english.continuations(10, generator=Generator().manual_seed(0))) == 10
    assert french.continuations(10, generator=Generator().manual_seed(0)) == ()
