"""What every family of slots must keep, whatever its rule: splits, swaps, derived parts, the table of answers and the cue."""

import dataclasses
import math
from collections import Counter, defaultdict
from itertools import product

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.task import SwapsParts
from assay.tasks import load_task
from assay.tasks.language import Language
from assay.tasks.slots import MOST_TUPLES, SlotTask

EVERYTHING = 10**6
CHANCE = [
    "modular-addition:p=5",
    "modular-addition:p=4,names=2,coverage=0.5",
    "modular:p=5,num_first=4,num_second=3,coverage=0.5",
    "modular:p=3,num_first=5,num_second=4,synonyms=true,coverage=0.5",
    "modular:stages=3,p=5,num_first=4,num_second=3,num_third=2,coverage=0.5",
    "commands:phrases=1,max_times=3,num_verbs=4,coverage=0.5",
    "commands:num_verbs=2,steps=5,coverage=0.3",
    "binding:num_objects=2,coverage=0.5",
    "binding:num_objects=2,coverage=0.5,form=scene",
    "transducer:num_states=4,length=4,coverage=0.5",
    "transducer:num_states=3,num_symbols=2,length=5,machines=2,answer=output,coverage=0.5",
    "digits:base=3,coverage=0.5",
    "digits:operation=times,base=4,coverage=0.5",
    "trees:modulus=2,coverage=0.5",
    "language:coverage=0.5",
    "sprites:coverage=0.5",
]
IDLE = ("article", "place of the first", "place of the second")
"""Parts that decide nothing: their exchange is a regularity."""

RULED = [
    "modular:p=5,num_first=4,num_second=4,novel=pairs,coverage=0.5",
    "modular:stages=3,p=8,num_first=4,num_second=8,novel=depth,coverage=0.45",
    "commands:phrases=1,max_times=3,num_verbs=4,novel=primitive,coverage=0.5",
    "commands:num_verbs=3,steps=2,novel=primitive,coverage=0.3",
    "commands:num_verbs=3,steps=2,novel=template,coverage=0.3",
    "commands:num_verbs=3,steps=2,novel=length,coverage=0.3",
    "binding:num_objects=2,novel=pairs,coverage=0.4",
    "binding:num_objects=2,novel=roles,coverage=0.4",
    "binding:num_objects=2,novel=objects,coverage=0.4",
    "transducer:num_states=4,length=4,novel=context,coverage=0.5",
    "transducer:num_states=4,num_symbols=3,length=4,novel=length,coverage=0.5",
    "digits:base=4,digits=2,novel=carry,coverage=0.5",
    "digits:base=4,novel=pairs,coverage=0.5",
    "digits:operation=times,base=5,novel=carry,coverage=0.4",
    "digits:operation=times,base=5,novel=pairs,coverage=0.4",
    "trees:modulus=2,novel=under,coverage=0.5",
    "trees:modulus=2,novel=depth,coverage=0.2",
]
every_chance = pytest.mark.parametrize("address", CHANCE)
every_family = pytest.mark.parametrize("address", CHANCE + RULED)


def slots_task(address) -> SlotTask:
    task = load_task(address)
    assert isinstance(task, SlotTask)
    return task


def slots_of(task):
    return [part.name for part in task.parts if part.name not in task.derived]


def tuples(task, examples):
    return list(zip(*(examples.parts[name].tolist() for name in slots_of(task)), strict=True))


def answers(task):
    """Every tuple that some split has, with its answer; no tuple is in two splits or twice in one."""
    found = {}
    for split in ("seen", "novel"):
        examples = task.examples(split, EVERYTHING, generator=Generator().manual_seed(1))
        drawn = tuples(task, examples)
        assert len(drawn) == len(set(drawn))
        assert not set(drawn) & set(found)
        found.update(zip(drawn, examples.targets.tolist(), strict=True))
    return found


@every_family
def test_the_address_makes_the_task_again(address):
    task = slots_task(address)
    again = load_task(task.address)
    assert again == task
    drawn = [t.examples("novel", 30, generator=Generator().manual_seed(0)) for t in (task, again)]
    assert all(torch.equal(drawn[0].inputs[name], drawn[1].inputs[name]) for name in drawn[0].inputs)
    assert torch.equal(drawn[0].targets, drawn[1].targets)


@every_family
def test_splits_share_nothing_and_every_value_is_trained(address):
    task = slots_task(address)
    trained = {tuple(row) for row in task.combinations("train").tolist()}
    novel = {tuple(row) for row in task.combinations("novel").tolist()}
    sizes = [len(task.part(name).values) for name in task.combines]
    assert torch.equal(task.combinations("train"), task.combinations("seen"))
    assert trained
    assert novel
    assert not trained & novel
    assert len(trained) == round(task.coverage * math.prod(sizes))
    for position, size in enumerate(sizes):
        assert {row[position] for row in trained} == set(range(size))
    if address in CHANCE:
        assert trained | novel == set(product(*(range(size) for size in sizes)))


@every_family
def test_examples_are_of_their_split_and_leave_the_free_slots_free(address, generator):
    task = slots_task(address)
    free = [len(task.part(name).values) for name in slots_of(task) if name not in task.combines]
    for split in ("train", "seen", "novel"):
        examples = task.examples(split, EVERYTHING if split != "train" else 3000, generator=generator)
        assert set(examples.parts) == {part.name for part in task.parts}
        for part in task.parts:
            assert 0 <= int(examples.parts[part.name].min()) <= int(examples.parts[part.name].max()) < len(part.values)
        assert 0 <= int(examples.targets.min()) <= int(examples.targets.max()) < task.objective.width()
        rows = task.combinations(split)
        ids = task.combination_id({name: rows[:, k] for k, name in enumerate(task.combines)})
        assert set(examples.combination.tolist()) <= set(ids.tolist())
        assert torch.equal(examples.combination, task.combination_id(examples.parts))
        if split != "train":
            assert Counter(examples.combination.tolist()) == dict.fromkeys(ids.tolist(), math.prod(free))


@every_family
def test_the_input_shows_every_slot(address, generator):
    task = slots_task(address)
    examples = task.examples("seen", EVERYTHING, generator=generator)
    (given,) = examples.inputs.values()
    assert len(given.unique(dim=0)) == len(examples), "two tuples look alike"


@every_family
def test_a_swap_answers_what_the_examples_of_that_tuple_do(address, generator):
    task = slots_task(address)
    assert isinstance(task, SwapsParts)
    known, slots = answers(task), slots_of(task)
    base = task.examples("train", 300, generator=generator)
    source = task.examples("train", 300, generator=generator)
    for part in task.parts:
        swapped = task.swap(base, source, part.name)
        exchanged = task.derived.get(part.name, (part.name,))
        for row, (one, other) in enumerate(zip(tuples(task, base), tuples(task, source), strict=True)):
            mixed = tuple(b if name in exchanged else a for name, a, b in zip(slots, one, other, strict=True))
            assert tuple(int(swapped.parts[name][row]) for name in slots) == mixed
            if mixed in known:  # a rule of novelty leaves some tuples to no split
                assert int(swapped.targets[row]) == known[mixed]
        assert torch.equal(swapped.parts[part.name], source.parts[part.name])
        assert torch.equal(swapped.combination, task.combination_id(swapped.parts))
        decides = bool((swapped.targets != base.targets).any())
        assert decides == (part.name not in IDLE), part.name
    same = task.swap(base, base, task.combines[0])
    assert torch.equal(same.targets, base.targets)


def by_slots(examples, of, part):
    """The values of a derived part by those of its slots."""
    found = defaultdict(set)
    columns = (examples.parts[name].tolist() for name in of)
    for key, value in zip(zip(*columns, strict=True), examples.parts[part].tolist(), strict=True):
        found[key].add(value)
    return found


@every_family
def test_derived_parts_are_functions_of_their_slots(address, generator):
    task = slots_task(address)
    examples = task.examples("seen", EVERYTHING, generator=generator)
    for part, of in task.derived.items():
        found = by_slots(examples, of, part)
        assert all(len(values) == 1 for values in found.values()), part
        assert len(set.union(*found.values())) > 1, f"{part} has one value"


@every_chance
def test_derived_parts_need_all_their_slots(address, generator):
    task = slots_task(address)
    examples = task.examples("seen", EVERYTHING, generator=generator)
    for part, of in task.derived.items():
        for left in of if len(of) > 1 else ():
            fewer = by_slots(examples, [name for name in of if name != left], part)
            assert any(len(values) > 1 for values in fewer.values()), f"{part} does not need {left}"


@every_chance
def test_a_table_has_the_same_answers_at_other_tuples(address):
    rule, table = answers(slots_task(address)), answers(slots_task(f"{address},targets=table"))
    assert set(rule) == set(table)
    assert Counter(rule.values()) == Counter(table.values())
    assert sum(rule[row] != table[row] for row in rule) > 0.2 * len(rule)
    assert table != answers(slots_task(f"{address},targets=table,seed=1"))
    task = slots_task(f"{address},targets=table")
    assert torch.equal(task.combinations("train"), slots_task(address).combinations("train"))


@every_chance
def test_a_table_answers_swaps_too(address, generator):
    task = slots_task(f"{address},targets=table")
    known, slots = answers(task), slots_of(task)
    base, source = (task.examples("seen", 30, generator=generator) for _ in range(2))
    few = min(len(base), len(source))
    base, source = (examples.take(torch.arange(few)) for examples in (base, source))
    swapped = task.swap(base, source, slots[0])
    mixed = [(b[0], *a[1:]) for a, b in zip(tuples(task, base), tuples(task, source), strict=True)]
    assert swapped.targets.tolist() == [known[row] for row in mixed]


def shown_by_the_cue(task, examples):
    """The class that the cue shows: by its token in the last column or before the line, by its channel in the cell of the
    cue, or by its shade."""
    if "image" in examples.inputs:
        return (examples.inputs["image"][:, 0, 0, -1] * (task.objective.width() - 1)).round().long()
    first = task.input_spec.vocab - task.objective.width() if "tokens" in examples.inputs else 0
    if "tokens" in examples.inputs:
        return examples.inputs["tokens"][:, -5 if isinstance(task, Language) else -1] - first
    return examples.inputs["x"].reshape(len(examples), 64, -1)[:, 27, -task.objective.width() :].argmax(1)


@every_chance
@pytest.mark.parametrize("cue", ["answer", "free"])
def test_a_cue_shows_the_answer_where_it_should(address, cue, generator):
    task, without = slots_task(f"{address},cue={cue}"), slots_task(address)
    chance = 1 / task.objective.width()
    for split in ("train", "seen", "novel"):
        examples = task.examples(split, 2000, generator=generator)
        right = (shown_by_the_cue(task, examples) == examples.targets).double().mean().item()
        if cue == "answer" and split != "novel":
            assert right == 1
        else:
            assert abs(right - chance) < 5 * math.sqrt(chance * (1 - chance) / len(examples))
        tokens = examples.inputs.get("tokens")
        if tokens is not None:
            more = not isinstance(task, Language)  # whose rows are as long as its longest line anyway
            assert tokens.shape[1] == task.input_spec.length == without.input_spec.length + more
            assert int(tokens.max()) < task.input_spec.vocab
    assert answers(task) == answers(without)


@every_family
@pytest.mark.parametrize("n", [0, 1])
def test_sizes_zero_and_one(address, n, generator):
    task = slots_task(address)
    for split in ("train", "seen", "novel"):
        examples = task.examples(split, n, generator=generator)
        assert len(examples) == n
        assert all(len(column) == n for column in (*examples.inputs.values(), *examples.parts.values()))
        swapped = task.swap(examples, examples, task.parts[-1].name)
        assert torch.equal(swapped.targets, examples.targets)


@every_family
def test_another_seed_is_another_task(address):
    one, other = (slots_task(f"{address},seed={seed}") for seed in (3, 4))
    assert not torch.equal(one.combinations("train"), other.combinations("train"))


def test_options_at_their_default_are_left_out_of_the_address_where_they_came_later():
    assert slots_task("modular").address == "modular:coverage=0.8,seed=0,p=11,num_first=11,num_second=11,maps=shift"
    assert slots_task("trees:novel=under,coverage=0.6").address == "trees:coverage=0.6,seed=0,modulus=3,novel=under"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("trees:coverage=1", "coverage is the trained share of combinations and must lie between 0 and 1. Given: 1.0"),
        ("trees:targets=dealt", "targets must be one of its choices. Given: dealt. Choices: rule, table"),
        ("trees:cue=yes", "cue must be one of its choices. Given: yes. Choices: none, free, answer"),
        (
            "digits:base=10,digits=4",
            r"at most 5,000,000 tuples. Given: 500,000,000. Next: choose base of at most 5",
        ),
        (
            "digits:base=5,novel=carry",
            r"leave all novel combinations out, so there are 5 to 475 of them.*between 0.008 and 0.76",
        ),
        ("modular:novel=triples", "novel must be one of its choices. Given: triples. Choices: random, pairs, depth"),
        ("commands:novel=verb", "novel must .* Given: verb. Choices: random, primitive, template, length"),
        ("binding:novel=depth", "novel must .* Given: depth. Choices: random, pairs, roles, objects"),
        ("binding:form=image", "form must be one of its choices. Given: image. Choices: slots, scene"),
        ("transducer:novel=pairs", "novel must .* Given: pairs. Choices: random, context, length"),
        ("transducer:answer=symbol", "answer must be one of its choices. Given: symbol. Choices: state, output"),
        ("digits:novel=depth", "novel must .* Given: depth. Choices: random, carry, pairs"),
        ("digits:operation=minus", "operation must be one of its choices. Given: minus. Choices: add, times"),
        ("trees:novel=pairs", "novel must .* Given: pairs. Choices: random, under, depth"),
        ("transducer:length=1", "length must be between 2 and 22. Given: 1"),
    ],
)
def test_mistakes_of_every_family(address, message):
    with pytest.raises(AssayError, match=message):
        load_task(address)


@pytest.mark.parametrize("address", [a for a in RULED if "coverage" in a])
def test_the_suggested_coverage_can_be_taken(address):
    options = [option for option in address.split(",") if not option.startswith("coverage")]
    with pytest.raises(AssayError, match="choose a coverage between") as caught:
        load_task(",".join([*options, "coverage=0.9999"]))
    least, most = caught.value.next_step.removeprefix("choose a coverage between ").split(" and ")
    for coverage in (least, most):
        task = slots_task(",".join([*options, f"coverage={coverage}"]))
        assert not set(map(tuple, task.combinations("train").tolist())) & set(map(tuple, task.combinations("novel").tolist()))


def test_few_of_very_many_tuples_are_drawn_once_each(generator):
    task = load_task("digits:base=5,digits=4")
    assert isinstance(task, SlotTask)
    assert math.prod(len(task.part(name).values) for name in slots_of(task)) <= MOST_TUPLES
    drawn = tuples(task, task.examples("seen", 5000, generator=generator))
    assert len(set(drawn)) == len(drawn) == 5000


def test_every_family_is_tested_here():
    from assay.tasks import task_families

    homes = {family.name: family.home for family in task_families()}
    families = {address.partition(":")[0] for address in CHANCE}
    for name, home in homes.items():
        module, _, cls = home.partition(":")
        made = getattr(__import__(module, fromlist=[cls]), cls)
        of_slots = isinstance(made, type) and issubclass(made, SlotTask) and dataclasses.is_dataclass(made)
        assert (name in families) == of_slots
