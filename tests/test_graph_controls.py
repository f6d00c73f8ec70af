"""Controls: what each keeps and what each destroys."""

from collections import Counter

import pytest
import torch
from torch import Generator

from assay.graph import Graph, distances, tree
from assay.graph_controls import CONTENT_TAGS, chain, control_heads, control_relations, jabberwocky, permuted

DET, NOUN, VERB, ADP, PUNCT = "DET", "NOUN", "VERB", "ADP", "PUNCT"


def sentence(text: str, number: int = 0) -> Graph:
    """Determiner, noun, verb, determiner, noun, full stop."""
    return tree(
        text.split(),
        (1, 2, -1, 4, 2, 2),
        relation=("det", "nsubj", "root", "det", "obj", "punct"),
        punctuation=(False,) * 5 + (True,),
        tags=(DET, NOUN, VERB, DET, NOUN, PUNCT),
        sentence_id=str(number),
    )


TEXTS = (
    "The badger painted the horses .",
    "A turtle washed the nurses .",
    "The lawyer guarded a castle .",
    "The badger saw THE horses .",
)
SENTENCES = tuple(sentence(text, number) for number, text in enumerate(TEXTS))


def test_a_chain_is_the_linear_distance():
    graph = chain(SENTENCES[0])
    places = torch.arange(6)
    assert distances(graph).equal((places[:, None] - places).abs().to(torch.int16))
    assert graph.words == SENTENCES[0].words
    assert graph.head == (-1, 0, 1, 2, 3, 4)


@pytest.mark.parametrize("n", [0, 1])
def test_controls_of_no_node_and_one(n: int, generator: Generator):
    graph = Graph(words=("w",) * n, mentions=((0,),) * n, edges=(), punctuation=(False,) * n, tags=(NOUN,) * n)
    assert chain(graph) == permuted(graph, generator=generator) == graph
    assert control_heads([graph], seed=0) == ((0,) * n,)
    assert control_relations([graph], seed=0) == (graph,)


def test_permuted_trees_keep_their_shape(generator: Generator):
    graph = SENTENCES[0]
    moved = [permuted(graph, generator=generator) for _ in range(50)]
    for other in moved:
        assert other.is_tree
        assert other.words == graph.words
        assert sorted(other.relation) == sorted(graph.relation)
        assert distances(other).flatten().sort().values.equal(distances(graph).flatten().sort().values)
    heads = Counter(other.head for other in moved)
    assert len(heads) > 25, "the nodes are really exchanged"


@pytest.mark.parametrize("kind", ["words", "nonsense"])
def test_no_content_word_is_left_and_all_others_stay(kind, generator: Generator):
    known = {word.lower() for graph in SENTENCES for word in graph.words}
    for before, after in zip(SENTENCES, jabberwocky(SENTENCES, kind=kind, generator=generator), strict=True):
        assert after.edges == before.edges
        assert after.tags == before.tags
        assert after.text == " ".join(after.words)
        for tag, old, new in zip(before.tags, before.words, after.words, strict=True):
            assert (new != old) == (tag in CONTENT_TAGS)
            assert new[0].isupper() == old[0].isupper()
            assert new[-1] == old[-1]
            if kind == "nonsense" and tag in CONTENT_TAGS:
                assert new.lower() not in known


def test_words_come_from_other_sentences_with_their_part_of_speech(generator: Generator):
    """`horses` and `nurses` share tag and ending, so each can only become the other."""
    first, second, *_ = jabberwocky(SENTENCES, kind="words", generator=generator)
    assert first.words[4] == "nurses"
    assert second.words[4] == "horses"


def test_a_word_that_comes_twice_becomes_one_word_twice(generator: Generator):
    graph = sentence("The badger badger the badger .")
    (after,) = jabberwocky([graph], kind="nonsense", generator=generator)
    assert after.words[1] == after.words[4]
    assert after.words[2] != after.words[1], "another part of speech is another word"


def test_replacements_follow_the_generator_alone():
    made = [jabberwocky(SENTENCES, kind="nonsense", generator=Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def many_sentences(generator: Generator) -> tuple[Graph, ...]:
    words = [f"w{k}" for k in range(60)]
    rows = torch.randint(60, (40, 6), generator=generator).tolist()
    return tuple(sentence(" ".join(words[k] for k in row)) for row in rows)


def test_control_heads_are_a_function_of_the_word(generator: Generator):
    graphs = many_sentences(generator)
    rules: dict[str, set[str]] = {}
    for graph, heads in zip(graphs, control_heads(graphs, seed=0), strict=True):
        for node, head in enumerate(heads):
            if 0 < node < len(graph) - 1:
                rules.setdefault(graph.words[node], set()).add({0: "first", node: "self", len(graph) - 1: "last"}[head])
    assert all(len(found) == 1 for found in rules.values())
    counts = Counter(rule for (rule,) in rules.values())
    assert set(counts) == {"self", "first", "last"}
    assert min(counts.values()) > 8
    # One text more does not move the rules of the others.
    assert control_heads(graphs[:3], seed=0) == control_heads(graphs, seed=0)[:3]
    assert control_heads(graphs, seed=1) != control_heads(graphs, seed=0)


def test_control_relations_are_a_function_of_the_dependent(generator: Generator):
    graphs = many_sentences(generator)
    dealt: dict[str, set[str]] = {}
    for graph, other in zip(graphs, control_relations(graphs, seed=0), strict=True):
        assert [edge[:2] for edge in other.edges] == [edge[:2] for edge in graph.edges]
        for _, dependent, relation in other.edges:
            dealt.setdefault(graph.words[dependent], set()).add(relation)
    assert all(len(found) == 1 for found in dealt.values())
    counts = Counter(relation for (relation,) in dealt.values())
    assert set(counts) == {"det", "nsubj", "obj", "punct"}
    # `det` is two in five of the declared relations.
    assert abs(counts["det"] / len(dealt) - 0.4) < 4 * (0.24 / len(dealt)) ** 0.5


def test_capitals_do_not_make_another_word_type():
    first, last = SENTENCES[0], sentence("THE BADGER PAINTED THE HORSES .")
    assert control_heads([first], seed=3) == control_heads([last], seed=3)
