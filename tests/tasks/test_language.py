"""The task `language`, read back from its words: numbers, odd ones, lists, trees, and what is held out of all of them."""

import math
from itertools import pairwise, product

import pytest
import torch

import assay
from assay.encoding.scoring import scorer_of
from assay.errors import AssayError
from assay.instrument import missing_abilities
from assay.instruments import all_instruments
from assay.novelty import ENOUGH, novelty_of
from assay.tasks.language import Language
from assay.tasks.language_words import ADJECTIVES, ARTICLES, ID, LINE, NOUNS, NUMBERS, ORDINALS, PLACES, PRICED, WORDS
from assay.training.data import draw

EVERYTHING = 10**6


@pytest.fixture(scope="module")
def task():
    return Language(coverage=0.3)


def told(examples):
    """The words of every row, and its answer."""
    for row, target in zip(examples.inputs["tokens"].tolist(), examples.targets.tolist(), strict=True):
        yield [WORDS[k] for k in row if WORDS[k] != LINE], WORDS[target]


def pairs_in(words):
    """Every adjective with the noun behind it."""
    return ((first, second) for first, second in pairwise(words) if first in ADJECTIVES and second in NOUNS)


def trained_pairs(task):
    return {(ADJECTIVES[a], NOUNS[b]) for a, b in task.combinations("train").tolist()}


def test_every_instrument_has_what_it_needs(task):
    assert {one.name: missing for one in all_instruments() if (missing := missing_abilities(one, task))} == {}


def test_numbers_are_sums(task, generator):
    of_pair: dict[tuple[str, str], dict[tuple[str, str], int]] = {}
    for split in ("seen", "novel"):
        for (article, adjective, noun, verb), answer in told(task.examples(split, EVERYTHING, generator=generator)):
            of_pair.setdefault((adjective, noun), {})[verb, article] = NUMBERS.index(answer)
    assert set(of_pair) == set(product(ADJECTIVES, NOUNS))
    for found in of_pair.values():
        assert set(found) == set(product(PRICED, ARTICLES))
        assert found["costs", "the"] == found["costs", "this"]
        assert found["lacks", "the"] == found["lacks", "this"] == 30 - found["costs", "the"]
        assert found["earns", "the"] == found["earns", "this"] == 2 + found["costs", "the"]
    worth = torch.tensor([[of_pair[a, b]["costs", "the"] for b in NOUNS] for a in ADJECTIVES])
    assert (worth - worth[:1] == (worth - worth[:1])[:, :1]).all()
    assert sorted((worth[:, 0] - worth[:, 0].min()).tolist()) == sorted((worth[0] - worth[0].min()).tolist()) == [*range(16)]


def test_all_novel_combinations_are_outside_coverage():
    novelty = novelty_of(Language())
    assert set(novelty.kinds) == {"outside"}
    assert len(novelty.kinds) >= ENOUGH


def test_what_is_held_out_stands_in_no_line(task, generator):
    known, kinds = trained_pairs(task), set()
    for words, answer in told(draw(task, generator, 6_000)):
        assert set(pairs_in([*words, answer])) <= known
        kinds.add("number" if answer in NUMBERS else "odd" if answer in ORDINALS else "place" if answer in PLACES else "word")
    assert kinds == {"number", "odd", "place", "word"}
    corpus = task.corpus()
    texts = [line.replace(".", " .").split() for text in (*corpus.train, *corpus.test) for line in text.split("\n")]
    graphs = [
        list(graph.words) for split in ("train", "dev", "test") for graph in task.graphs(split, 10**6, generator=generator)
    ]
    assert set().union(*map(pairs_in, texts + graphs)) == known
    assert not {tuple(words) for words in graphs} & {tuple(words[:-1]) for words in texts}
    assert len({tuple(words) for words in graphs}) == len(graphs) == 5_600


@pytest.mark.parametrize("part", ["adjective", "noun"])
def test_one_phrase_is_of_another_kind(task, part, generator):
    """A word is of one kind in all problems, and the other part has one kind in all phrases of all problems."""
    other, place = ("noun", 0) if part == "adjective" else ("adjective", 1)
    odd, even, beside, pairs = set(), set(), set(), {}
    for pool in ("base", "mask", "test"):
        pairs[pool] = set()
        for words, answer in told(task.testing(part, 200, pool=pool, generator=generator)):
            assert words[8] == "which"
            for k in range(4):
                phrase = words[2 * k], words[2 * k + 1]
                (odd if ORDINALS[k] == answer else even).add(phrase[place])
                beside.add(phrase[1 - place])
                pairs[pool].add(phrase)
    assert len(odd) == len(even) == 8 == len(beside), other
    assert not odd & even
    assert not pairs["base"] & pairs["mask"] | pairs["base"] & pairs["test"] | pairs["mask"] & pairs["test"]
    assert pairs["base"] <= trained_pairs(task)


@pytest.mark.parametrize("size", [2, 3])
def test_lists_say_what_is_asked(task, size, generator):
    contexts = task.contexts(100, size=size, pairs="trained", generator=generator)
    entity, attribute = contexts.at(contexts.queried)
    read = task.write(contexts, entity)
    tokens = read.inputs["tokens"]
    rows = torch.arange(100)[:, None]
    for row, answer in zip(tokens.tolist(), task.answers[attribute].tolist(), strict=True):
        *items, so, asked = [WORDS[k] for k in row if WORDS[k] != LINE]
        assert so == "so" and set(items[2::3]) == {"."}  # noqa: PT018
        assert dict(zip(items[0::3], items[1::3], strict=True))[asked] == WORDS[answer]
    assert torch.equal(tokens[rows, read.entity_at] - ID[NOUNS[0]], contexts.entities)
    assert torch.equal(task.answers[contexts.attributes], tokens[rows, read.attribute_at])


def test_trees_are_those_of_the_words(task, generator):
    graphs = task.graphs("test", 200, generator=generator)
    fed = task.feed(graphs)
    for graph, rows, places in zip(graphs, fed.rows, fed.places, strict=True):
        assert graph.is_tree
        assert set(places[places >= 0].tolist()) == {10}
        for k, row in enumerate(fed.inputs["tokens"][rows[places >= 0]].tolist()):
            assert [WORDS[word] for word in row if WORDS[word] != LINE] == list(graph.words[: k + 1])
        for head, word, relation in graph.edges:
            expected = {"det": NOUNS, "amod": NOUNS, "nmod": NOUNS, "acl": NOUNS}.get(relation)
            assert expected is None or graph.words[head] in expected
            assert relation != "amod" or (graph.words[word], graph.words[head]) in trained_pairs(task)
            assert relation != "obj" or word > head


def test_a_word_of_a_long_line_is_fed_with_the_last_words_before_it(task, generator):
    (graph,) = task.graphs("dev", 1, generator=generator)
    long = type(graph)(words=graph.words * 3, mentions=((0,),), edges=(), punctuation=(False,))
    fed = task.feed([long])
    assert fed.places.tolist() == [[10] * len(long.words)]
    assert [WORDS[k] for k in fed.inputs["tokens"][-1]] == list(long.words[-11:])


def test_every_step_is_asked_by_a_line_of_its_own(task, generator):
    examples = task.examples("novel", 300, generator=generator)
    graphs = task.computation(examples)
    inner = ~graphs.is_source
    assert (graphs.follow(graphs.values) == graphs.values).all()
    truth = {
        tuple(row): target
        for split in ("seen", "novel")
        for rows in [task.examples(split, EVERYTHING, generator=generator)]
        for row, target in zip(rows.inputs["tokens"].tolist(), rows.targets.tolist(), strict=True)
    }
    right = task.node_values(
        examples, graphs, lambda inputs: torch.tensor([[truth[tuple(row)]] for row in inputs["tokens"].tolist()])
    )
    assert (right == graphs.values).all()
    wrong = task.node_values(examples, graphs, lambda inputs: torch.full((len(inputs["tokens"]), 1), ID["the"]))
    assert (wrong[inner] != graphs.values[inner]).all()


def test_the_exchange_of_costs_and_lacks_reflects_the_number(task, generator):
    found = task.regular(60, generator=generator)
    (exchange,) = found.regularities
    assert len(found.examples) == 60
    parts, (rows, outputs) = found.examples.parts, (exchange.rows[1], exchange.outputs[1])
    assert torch.equal(found.examples.targets[rows], outputs[found.examples.targets])
    assert {name: bool((parts[name][rows] == parts[name]).all()) for name in parts} == {
        "adjective": True, "noun": True, "verb": False, "article": True, "worth": True,
    }  # fmt: skip
    written = [words for words, _ in told(found.examples)]
    for k, moved in enumerate(rows.tolist()):
        assert {written[k][-1], written[moved][-1]} == {"costs", "lacks"}
    worth = NUMBERS[:31]
    assert [WORDS[k] for k in outputs[[ID[word] for word in worth]].tolist()] == [*reversed(worth)]
    others = [k for k, word in enumerate(WORDS) if word not in worth]
    assert outputs[others].tolist() == others


@pytest.mark.parametrize("coverage", [0.2, 0.8])
def test_every_trained_combination_is_in_one_pair_of_lines(coverage, generator):
    task = Language(coverage=coverage)
    found = task.regular(10**6, generator=generator)
    assert found.examples.combination.unique(return_counts=True)[1].tolist() == [2] * len(task.combinations("train"))


@pytest.mark.parametrize("option", [{"targets": "table"}, {"cue": "free"}])
def test_where_an_exchange_changes_answers_or_inputs_none_is_declared(option, generator):
    assert not Language(**option).regular(60, generator=generator).regularities


def test_a_cue_stands_before_the_phrase(generator):
    task = Language(coverage=0.3, cue="answer")
    examples = task.examples("seen", 50, generator=generator)
    assert torch.equal(examples.inputs["tokens"][:, -5], examples.targets)
    assert not task.regular(0, generator=generator).regularities or len(task.regular(6, generator=generator).examples) == 6


def test_bits_of_a_text_are_those_of_its_words(task):
    """Of a network that holds all words equally likely each costs the same, and one that ends within the text less."""
    subject = assay.Subject(Even())
    scorer = scorer_of(subject, task)
    each = math.log2(len(WORDS))
    found = scorer.score("the amber eagle.\nthe")
    assert found.bits.tolist() == pytest.approx([each] * 6 + [math.log2(len(WORDS) + 1)])
    assert found.ends.tolist() == [3, 9, 15, 16, 17, 20, 20]
    assert [WORDS[k] for k in found.tokens[:-1]] == ["the", "amber", "eagle", ".", "\n", "the"]
    begun = [word for word in WORDS if word.startswith("ea")]
    assert scorer.score("the ea").bits[1] == pytest.approx(each - math.log2(len(begun)))
    with pytest.raises(AssayError, match="xylophone"):
        scorer.score("the xylophone")


def test_a_word_is_asked_behind_those_of_its_line(task):
    rows = task.coded("the amber eagle.\nso heron").inputs["tokens"]
    behind = [[WORDS[k] for k in row if WORDS[k] != LINE] for row in rows.tolist()]
    assert behind == [[], ["the"], ["the", "amber"], ["the", "amber", "eagle"], ["the", "amber", "eagle", "."], [], ["so"]]


class Even(torch.nn.Module):
    def forward(self, tokens):
        return torch.zeros(len(tokens), len(WORDS))


@pytest.mark.parametrize("part", ["adjective", "noun", "verb", "article", "worth"])
def test_an_exchanged_part_is_answered_as_its_line_is(task, part, generator):
    base, source = (task.examples(split, 100, generator=generator) for split in ("seen", "novel"))
    swapped = task.swap(base, source, part)
    again = task._filled({name: swapped.parts[name] for name in ("adjective", "noun", "verb", "article")}, "seen", generator)
    assert torch.equal(again.targets, swapped.targets)
    assert torch.equal(swapped.parts[part], source.parts[part])
