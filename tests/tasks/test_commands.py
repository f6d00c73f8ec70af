"""Commands against an interpreter of words: each phrase is spelled out and carried out, action by action."""

from itertools import product

import pytest

from assay.errors import AssayError
from assay.tasks.commands import Commands, Novel

EVERYTHING = 10**6


def words(task, examples):
    """Every command as a dictionary of words, read from the tokens alone."""
    verb, manner, direction, times = task.num_verbs, 3, 3, task.max_times
    phrase = ["verb", "manner", "direction", "times"]
    slots = [f"{name}1" for name in phrase]
    if task.phrases == 2:
        slots += ["conjunction", *(f"{name}2" for name in phrase)]
    alphabets = {"verb": verb, "manner": manner, "direction": direction, "times": times, "conjunction": 3, "t": task.steps}
    order = list(dict.fromkeys(name.rstrip("12") for name in [*slots, "t"]))
    starts = {name: sum(alphabets[other] for other in order[: order.index(name)]) for name in order}
    rows = examples.inputs["tokens"].tolist()
    return [
        {
            name: task.part(name).values[token - starts[name.rstrip("12")]]
            for name, token in zip([*slots, "t"], row, strict=True)
        }
        for row in rows
    ]


def carry_out(command, n):
    """The actions of one phrase: turns are lower case, so that they can fall away."""
    act = "" if command[f"verb{n}"] == "turn" else f" {command[f'verb{n}'].upper()}"
    turn = "" if command[f"direction{n}"] == "none" else f" {command[f'direction{n}']}"
    if command[f"manner{n}"] == "opposite":
        once = turn + turn + act
    elif command[f"manner{n}"] == "around":
        once = turn + act + turn + act
    else:
        once = turn + act
    return once.split() * {"once": 1, "twice": 2, "thrice": 3}[command[f"times{n}"]]


def obey(command):
    first = carry_out(command, 1)
    conjunction = command.get("conjunction", "none")
    if conjunction == "none":
        return first
    return first + carry_out(command, 2) if conjunction == "and" else carry_out(command, 2) + first


def test_no_command_has_more_than_sixteen_actions():
    for phrases, max_times in ((1, 2), (1, 3), (2, 2)):
        task = Commands(num_verbs=2, phrases=phrases, max_times=max_times, coverage=0.5)
        every = product(*(task.part(name).values for name in task.combines))
        longest = max(len(obey(dict(zip(task.combines, values, strict=True)))) for values in every)
        assert longest == 4 * phrases * max_times <= 16


OPTIONS = [
    {"phrases": 1, "max_times": 3, "steps": 13},
    {"num_verbs": 3, "steps": 17},
    {"num_verbs": 8, "phrases": 1, "steps": 9},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_answers_are_those_of_the_interpreter(options, generator):
    task = Commands(coverage=0.5, **options)
    verbs = [verb.upper() for verb in task.part("verb1").values[1:]]
    classes = [*verbs, "left", "right", "END"]
    assert task.objective.num_classes == len(classes)
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING if task.phrases == 1 else 5000, generator=generator)
        for command, target in zip(words(task, examples), examples.targets.tolist(), strict=True):
            actions = obey(command)
            assert classes[target] == [*actions, *["END"] * 20][int(command["t"])]


def test_lengths_of_phrases_are_parts(generator):
    task = Commands(num_verbs=3)
    examples = task.examples("seen", 3000, generator=generator)
    for n in (1, 2):
        lengths = [int(task.part(f"length{n}").values[value]) for value in examples.parts[f"length{n}"]]
        assert lengths == [len(carry_out(command, n)) for command in words(task, examples)]
    assert task.derived["length2"] == ("verb2", "manner2", "direction2", "times2")


def live(command):
    return (1, 2) if command["conjunction"] != "none" else (1,)


def is_plain(command, n):
    return (command[f"manner{n}"], command[f"direction{n}"], command[f"times{n}"]) == ("none", "none", "once")


def kinds_of_novelty(command):
    jumps = any(command[f"verb{n}"] == "jump" for n in live(command))
    return {"primitive": jumps and not all(is_plain(command, n) for n in live(command)), "length": len(obey(command)) > 8}


@pytest.mark.parametrize("novel", ["primitive", "length"])
def test_what_is_novel_is_never_trained(novel: Novel, generator):
    task = Commands(num_verbs=2, steps=2, novel=novel, coverage=0.2)
    for split in ("seen", "novel"):
        commands = words(task, task.examples(split, 2000, generator=generator))
        assert all(kinds_of_novelty(command)[novel] == (split == "novel") for command in commands)
    every = [dict(zip(task.combines, values, strict=True)) for values in product(*(task.part(n).values for n in task.combines))]
    assert sum(kinds_of_novelty(command)[novel] for command in every) == len(task.combinations("novel"))


@pytest.mark.parametrize("coverage", [0.02, 0.3])
def test_the_plain_commands_of_the_primitive_are_trained_whatever_the_coverage(coverage, generator):
    task = Commands(num_verbs=3, steps=2, novel="primitive", coverage=coverage)
    commands = words(task, task.examples("seen", EVERYTHING, generator=generator))
    jumping = [c for c in commands if any(c[f"verb{n}"] == "jump" for n in live(c))]
    # Alone, before any of 3 x 18 phrases that are not carried out; with `and` or `after` before 3 verbs, or behind 2 others.
    assert len(jumping) == 2 * (3 * 18 + 2 * (3 + 2))


def test_one_pairing_of_manner_and_direction_is_never_trained(generator):
    pairings = set()
    for seed in range(4):
        task = Commands(num_verbs=2, steps=2, novel="template", coverage=0.4, seed=seed)
        seen, novel = (
            [
                {(c[f"manner{n}"], c[f"direction{n}"]) for n in live(c)}
                for c in words(task, task.examples(split, 2000, generator=generator))
            ]
            for split in ("seen", "novel")
        )
        (pairing,) = set.intersection(*novel)
        assert not any(pairing in pairs for pairs in seen)
        assert {pair for pairs in seen for pair in pairs} | {pairing} == {
            (manner, direction) for manner in ("none", "opposite", "around") for direction in ("none", "left", "right")
        }
        pairings.add(pairing)
    assert len(pairings) > 1
    assert all("none" not in pairing for pairing in pairings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_verbs": 9}, "num_verbs must be between 2 and 8. Given: 9"),
        ({"phrases": 3}, "phrases must be between 1 and 2. Given: 3"),
        ({"max_times": 1}, "max_times must be between 2 and 3. Given: 1"),
        ({"max_times": 3}, "more than 16 actions. Given: phrases=2, max_times=3. Next: choose max_times=2"),
        ({"steps": 18}, "steps must be between 2 and 17. Given: 18"),
        ({"phrases": 1, "steps": 10}, "steps must be between 2 and 9. Given: 10"),
    ],
)
def test_errors_say_what_was_given(options, message):
    with pytest.raises(AssayError, match=message):
        Commands(**options)
