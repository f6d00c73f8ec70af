"""The transducer against the machine that its own examples show, run symbol by symbol."""

from itertools import combinations, product

import pytest
import torch

from assay.errors import AssayError
from assay.task import Tokens
from assay.tasks.transducer import (
    Answer,
    Transducer,
    commonest,
    every_symbol_counts,
    is_connected,
    is_minimal,
    symbols_differ,
)

EVERYTHING = 10**6


def strings(task, generator):
    """Every string of both splits, from the tokens, with its answer."""
    found = {}
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        found.update(zip(map(tuple, examples.inputs["tokens"].tolist()), examples.targets.tolist(), strict=True))
    return found


def machine(task, number=0):
    return task._next[number].tolist(), task._output[number].tolist()


def run(task, string, number=0):
    follows, writes = machine(task, number)
    state, written = 0, []
    for symbol in string:
        written.append(writes[state][symbol])
        state = follows[state][symbol]
    return state, written


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("answer", ["state", "output"])
@pytest.mark.parametrize("machines", [1, 2])
def test_answers_are_those_of_the_machine_run_by_hand(machines, answer: Answer, seed, generator):
    task = Transducer(num_states=4, num_symbols=2, length=5, answer=answer, machines=machines, coverage=0.5, seed=seed)
    assert task.input_spec == Tokens(vocab=2, length=5)
    found = strings(task, generator)
    assert set(found) == set(product(range(2), repeat=5))
    for string, target in found.items():
        single = [run(task, string, number)[0 if answer == "state" else 1] for number in range(machines)]
        values = [one if isinstance(one, int) else one[-1] for one in single]
        assert target == (values[0] if machines == 1 else values[0] * (4 if answer == "state" else 2) + values[1])
    assert task.objective.num_classes == (4 if answer == "state" else 2) ** machines


def test_a_state_is_known_from_the_examples_alone(generator):
    """Without looking at the machine: the strings that lead to one middle state go on alike (Myhill, Nerode)."""
    task = Transducer(num_states=5, num_symbols=3, length=6, coverage=0.5)
    middle = {}
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        middle.update(zip(map(tuple, examples.inputs["tokens"].tolist()), examples.parts["middle"].tolist(), strict=True))
    found = strings(task, generator)
    futures = {}
    for head in product(range(3), repeat=3):
        tails = tuple(found[(*head, *tail)] for tail in product(range(3), repeat=3))
        states = {middle[(*head, *tail)] for tail in product(range(3), repeat=3)}
        assert len(states) == 1
        assert futures.setdefault(states.pop(), tails) == tails


@pytest.mark.parametrize("seed", range(5))
def test_machines_are_minimal_and_connected(seed):
    task = Transducer(num_states=6, num_symbols=2, length=6, seed=seed, coverage=0.6)
    follows, writes = machine(task)
    for start in range(6):
        reached = {start}
        for _ in range(6):
            reached |= {follows[state][symbol] for state in reached for symbol in range(2)}
        assert reached == set(range(6))

    def written(state, string):
        out = []
        for symbol in string:
            out.append(writes[state][symbol])
            state = follows[state][symbol]
        return out

    for a, b in combinations(range(6), 2):
        assert any(written(a, string) != written(b, string) for string in product(range(2), repeat=5)), (a, b)


def test_checks_of_a_machine_on_machines_by_hand():
    ring, stuck = torch.tensor([[1, 1], [2, 2], [0, 0]]), torch.tensor([[1, 1], [1, 1], [0, 0]])
    assert is_connected(ring)
    assert not is_connected(stuck)
    assert is_minimal(ring, torch.tensor([[0, 0], [0, 0], [1, 0]]))
    assert not is_minimal(ring, torch.tensor([[1, 0], [1, 0], [1, 0]]))
    assert not every_symbol_counts(ring.tolist(), 3), "the ring turns whatever it reads"
    parity, forgets = [[0, 1], [1, 0]], [[0, 1], [0, 1]]
    assert every_symbol_counts(parity, 4)
    assert every_symbol_counts(forgets, 1)
    assert not every_symbol_counts(forgets, 2)
    assert commonest(ring, 3) == 1
    assert commonest(torch.tensor(parity), 4) == 0.5
    assert commonest(torch.tensor([[0, 0, 1], [0, 1, 1]]), 2) == pytest.approx(5 / 9)


@pytest.mark.parametrize("seed", range(3))
def test_held_contexts_are_in_no_second_half(seed, generator):
    task = Transducer(num_states=5, num_symbols=3, novel="context", coverage=0.4, seed=seed)
    follows, _ = machine(task)

    def contexts(string):
        state, found = 0, []
        for symbol in string:
            found.append((state, symbol))
            state = follows[state][symbol]
        return found

    seen, novel = (
        task.examples(split, EVERYTHING, generator=generator).inputs["tokens"].tolist() for split in ("seen", "novel")
    )
    later = {context for string in product(range(3), repeat=6) for context in contexts(string)[3:]}
    trained = {context for row in seen for context in contexts(row)[3:]}
    held = later - trained
    assert held, "a context is held out"
    assert all(set(contexts(row)[3:]) & held for row in novel)
    assert {context for row in seen for context in contexts(row)[:3]} >= {(0, symbol) for symbol in range(3)}


def test_full_strings_are_novel_and_pauses_leave_the_state(generator):
    task = Transducer(num_states=4, num_symbols=2, length=4, novel="length", coverage=0.6)
    pause = task.part("s1").values.index("none")
    found = {}
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=generator)
        for row, target in zip(examples.inputs["tokens"].tolist(), examples.targets.tolist(), strict=True):
            assert (pause not in row) == (split == "novel")
            assert target == run(task, [symbol for symbol in row if symbol != pause])[0]
            found[tuple(row)] = split
    assert sum(split == "novel" for split in found.values()) == 2**4


def test_a_machine_that_pauses_writes_an_output_of_its_own(generator):
    task = Transducer(num_states=4, num_symbols=2, length=4, novel="length", answer="output", coverage=0.6)
    examples = task.examples("seen", EVERYTHING, generator=generator)
    paused = examples.inputs["tokens"][:, -1] == 2
    assert bool(paused.any())
    assert torch.equal(examples.targets == 2, paused)


def test_errors_say_what_was_given(monkeypatch):
    with pytest.raises(AssayError, match=r"machines must be between 1 and 2. Given: 3"):
        Transducer(machines=3)
    with pytest.raises(AssayError, match=r"num_states must be between 2 and 64. Given: 1"):
        Transducer(num_states=1)
    monkeypatch.setattr("assay.tasks.transducer.TRIES", 0)
    with pytest.raises(AssayError, match=r"minimal and strongly connected.*num_states=9.*fewer states"):
        Transducer(num_states=9)


def synonyms_by_hand(follows, answers, length):
    """Pairs of symbols and positions at which exchanging one for the other changes no string's answer."""
    symbols = range(len(follows[0]))

    def answer(string):
        state = 0
        for symbol in string[:-1]:
            state = follows[state][symbol]
        return answers[state][string[-1]]

    every = {string: answer(string) for string in product(symbols, repeat=length)}
    return {
        (position, a, b)
        for position in range(length)
        for a, b in combinations(symbols, 2)
        if all(every[s] == every[(*s[:position], b, *s[position + 1 :])] for s in every if s[position] == a)
    }


@pytest.mark.parametrize("seed", range(40))
def test_symbols_differ_exactly_when_exchanging_them_matters(seed):
    generator = torch.Generator().manual_seed(seed)
    states, symbols, length = (int(torch.randint(low, 5, (1,), generator=generator)) for low in (2, 2, 1))
    follows, answers = (torch.randint(states, (states, symbols), generator=generator).tolist() for _ in range(2))
    for of in (follows, answers):
        assert symbols_differ(follows, of, length) == (not synonyms_by_hand(follows, of, length))


@pytest.mark.parametrize("options", [{}, {"answer": "output"}, {"novel": "length", "num_symbols": 3}], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_no_two_symbols_act_identically(options, seed):
    task = Transducer(length=4, seed=seed, coverage=0.5, **options)
    for follows, writes in zip(task._next.tolist(), task._output.tolist(), strict=True):
        shown = slice(None) if options.get("novel") == "length" else slice(task.num_symbols)
        follows, writes = ([row[shown] for row in table] for table in (follows, writes))
        assert not synonyms_by_hand(follows, writes if "answer" in options else follows, 4)


def test_more_symbols_than_states_are_refused_or_asked_for():
    with pytest.raises(
        AssayError, match=r"at most as many symbols as states.*Given: 5 symbols, 4 states.*num_symbols of at most 4"
    ):
        Transducer(num_symbols=5)
    with pytest.raises(AssayError, match="5 symbols, none among them"):
        Transducer(novel="length")
    assert Transducer(num_symbols=5, synonyms=True).num_symbols == 5
