"""Sentences parsed back by a grammar written here: the numbers that they have, and what no two pools share."""

from collections import Counter

import pytest

from assay.errors import AssayError
from assay.task import POOLS, Pool, Tokens
from assay.tasks import load_task
from assay.tasks import sentence_words as words
from assay.tasks.sentences import LENGTH, Sentences

ADDRESSES = [f"{family}:number={number}" for family in ("agreement", "anaphora") for number in ("singular", "plural")]
NOUNS = {**dict.fromkeys((*words.PEOPLE, *words.THINGS), "singular")}
NOUNS.update({f"{noun}s": "plural" for noun in list(NOUNS)})
VERBS = dict.fromkeys((*words.FEELINGS, *words.PERSON_ACTS, *words.THING_ACTS), "plural")
VERBS.update({f"{verb}s": "singular" for verb in list(VERBS)})
PRONOUNS = {"himself": "singular", "herself": "singular", "themselves": "plural"}


def make(address: str) -> Sentences:
    task = load_task(address)
    assert isinstance(task, Sentences)
    return task


def parsed(sentence: str) -> tuple[str, str, str, str, str]:
    """Template, subject, its number, the main verb and the number of the last word.

    **Raises:** `AssertionError` when no template fits, or a verb inside the sentence disagrees with its subject.
    """
    said = sentence.split()
    last = PRONOUNS.get(said[-1]) or VERBS[said[-1]]
    verb = said[-2] if said[-1] in PRONOUNS else said[-1]
    middle = said[2 : len(said) - (2 if said[-1] in PRONOUNS else 1)]
    assert said[0] == "the"
    subject = said[1]
    match middle:
        case []:
            template = "plain"
        case ["that", does, "the", other] if does in VERBS:
            assert VERBS[does] == NOUNS[subject]
            template = "subject relative"
        case [place, "the", other] if place in words.PLACES:
            template = "preposition"
        case ["that", "the", other, does]:
            assert VERBS[does] == NOUNS[other]
            template = "object relative"
        case ["the", other, does]:
            assert VERBS[does] == NOUNS[other]
            template = "bare object relative"
        case _:
            raise AssertionError(sentence)
    return template, subject, NOUNS[subject], verb, last


def drawn(task: Sentences, pool: Pool, generator, n: int = 100) -> list[str]:
    """Sentences of every kind of problem, from one pool."""
    sets = [task.problems(n, pool=pool, generator=generator), task.nonsense(1, n, pool=pool, generator=generator)]
    for name in task.combines:
        sets += [task.reading(name, n, pool=pool, generator=generator), task.testing(name, n, pool=pool, generator=generator)]
    rows = [row for one in sets for row in one.inputs["items"].flatten(0, 1).tolist()]
    return [" ".join(task.vocabulary[token] for token in row if token) for row in rows]


@pytest.mark.parametrize("address", ADDRESSES)
def test_numbers_are_what_was_asked_for(address, generator):
    task = make(address)
    examples = task.reading(task.combines[0], 200, pool="test", generator=generator)
    second = Counter()
    for problem, target, part in zip(
        examples.inputs["items"], examples.targets.tolist(), examples.parts[task.combines[1]].tolist(), strict=True
    ):
        for position, row in enumerate(problem):
            _, _, first, _, last = parsed(task.sentence(row))
            assert (first == task.number) == (position != target)
            second[last] += 1
            if position == target:
                assert (last == task.number) == part
    assert min(second.values()) > 320
    examples = task.testing(task.combines[1], 100, pool="test", generator=generator)
    for problem, target in zip(examples.inputs["items"], examples.targets.tolist(), strict=True):
        for position, row in enumerate(problem):
            _, _, first, _, last = parsed(task.sentence(row))
            assert first == task.number
            assert (last == task.number) == (position != target)


@pytest.mark.parametrize("address", ["agreement", "anaphora"])
def test_no_sentence_and_no_pair_of_subject_and_verb_is_in_two_pools(address, generator):
    task = make(address)
    sentences, pairs, seen = [], [], []
    for pool in POOLS:
        found = drawn(task, pool, generator)
        sentences.append(set(found))
        lemmas = {(subject.removesuffix("s"), verb.removesuffix("s")) for _, subject, _, verb, _ in map(parsed, found)}
        pairs.append(lemmas)
        seen.append({word for sentence in found for word in sentence.split()})
    for k, other in ((0, 1), (0, 2), (1, 2)):
        assert not sentences[k] & sentences[other]
        assert not pairs[k] & pairs[other]
    assert min(map(len, pairs)) > 200
    assert seen[1] | seen[2] <= seen[0] == {word for word in task.vocabulary if word}


@pytest.mark.parametrize("address", ["agreement", "anaphora"])
def test_every_template_comes_as_often_and_things_do_not_like(address, generator):
    task = make(address)
    found = Counter()
    for sentence in drawn(task, "base", generator):
        template, subject, *_ = parsed(sentence)
        thing = subject.removesuffix("s") in words.THINGS
        found[template, thing] += 1
        if thing:
            assert template != "subject relative"
    assert len(found) == (9 if address == "agreement" else 5)
    expected = found.total() / len(found)
    assert max(abs(count - expected) for count in found.values()) < 4 * expected**0.5


def test_a_number_elsewhere_says_nothing(generator):
    """An object in between has either number as often, whatever the subject's and the verb's are."""
    found = Counter()
    for sentence in drawn(make("agreement"), "base", generator):
        template, _, first, _, last = parsed(sentence)
        if template == "preposition":
            found[first, last, NOUNS[sentence.split()[-2]]] += 1
    for first in ("singular", "plural"):
        for last in ("singular", "plural"):
            one, many = found[first, last, "singular"], found[first, last, "plural"]
            assert abs(one - many) < 4 * (one + many) ** 0.5


def test_words_are_regular_and_no_two_are_the_same():
    lists = [words.PEOPLE, words.THINGS, words.PERSON_ACTS, words.THING_ACTS, words.FEELINGS, words.DONE_TO_ONESELF]
    lists += [words.PLACES, words.SINGULAR_PRONOUNS, words.PLURAL_PRONOUNS, words.FRAME]
    forms = [form for one in lists for form in one] + [f"{form}s" for one in lists[:5] for form in one]
    assert len(set(forms)) == len(forms)
    for lemma in (lemma for one in lists[:5] for lemma in one):
        assert not lemma.endswith(("s", "sh", "ch", "x", "z")), lemma
        assert not (lemma.endswith("y") and lemma[-2] not in "aeou"), lemma
    assert len(make("agreement").vocabulary) == 317


@pytest.mark.parametrize("address", ADDRESSES)
def test_tokens(address, generator):
    task = make(address)
    assert task.item_spec() == Tokens(vocab=len(task.vocabulary), length=LENGTH)
    assert len(set(task.vocabulary)) == len(task.vocabulary)
    items = task.problems(100, pool="base", generator=generator).inputs["items"].flatten(0, 1)
    for row in items.tolist():
        num_words = sum(token > 0 for token in row)
        assert num_words >= 3
        assert all(token == 0 for token in row[: LENGTH - num_words])
        assert row[LENGTH - num_words] == task.vocabulary.index("the")
    assert items.amax() < len(task.vocabulary)
    for n in (0, 1):
        assert task.problems(n, pool="mask", generator=generator).inputs["items"].shape == (n, 4, LENGTH)


def test_errors_say_what_was_given():
    with pytest.raises(AssayError, match=r"number must be one of its choices. Given: dual. Choices: singular, plural"):
        load_task("agreement:number=dual")
