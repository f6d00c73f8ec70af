"""Answers that take many passes: read in one, on combinations of one template, with the declared answer so far."""

import dataclasses

import pytest
import torch
from decoding import Spoken, speaker
from torch import Generator

from assay.evidence import Evidence
from assay.instrument import NotEnough, Random, run
from assay.instruments.recombination import Recombination
from assay.instruments.recombination.instrument import BUDGETS
from assay.instruments.recombination.template import OneTemplate, one_template, prefix_of
from assay.instruments.systematicity import Systematicity
from assay.models import build
from assay.subject import Subject
from assay.task import Task
from assay.tasks import load_task
from assay.tasks.scan import TARGET_WORDS
from assay.tasks.scan_grammar import ScanCommand, commands
from assay.views import TrainedOnly, Unlabelled

pytestmark = pytest.mark.slow

QUICK = {"quick": dataclasses.replace(BUDGETS["quick"], examples=300, scrambled=1, turned=1)}


def of(subject: Subject, task: Task) -> Evidence:
    return run(Recombination(budgets=QUICK), subject, task, effort="quick")


def values(evidence: Evidence, *keys: str) -> list[float | None]:
    return [evidence.measure(key, form="sum").value for key in keys]


def test_a_composer_and_a_memoriser_that_answer_token_by_token_are_told_apart():
    keys = "seen_from_state", "seen_as_state", "novel_from_state", "novel_as_state", "novel_both"
    evidence = of(speaker(memorises=False), Spoken())
    assert values(evidence, *keys) == [1.0] * 5
    assert evidence.settings["breaks"] == "nothing found"
    nulls = evidence.measure("novel_from_state", form="sum").nulls
    assert all(null.mean < 0.3 for null in nulls), "the given answer alone does not lead to itself"
    said = " ".join(evidence.warnings)
    assert "if greedy decoding returns" in said
    assert "in which the same parts are absent" in said
    evidence = of(speaker(memorises=True), Spoken())
    assert values(evidence, *keys) == [1.0, 1.0, 0.0, 1.0, 0.0]
    assert evidence.settings["breaks"] == "the combining"


def test_without_novel_inputs_the_executor_gives_the_answer_so_far():
    for memorises, right, task in ((False, 1.0, TrainedOnly(Spoken())), (True, 0.0, Unlabelled(Spoken()))):
        evidence = of(speaker(memorises=memorises), task)
        assert values(evidence, "novel_from_state", "novel_as_state") == [right, None]
    assert evidence.measure("novel_as_state", form="sum").note == "prefix, the answer so far, is the label of a novel input"


def test_at_level_1_systematicity_draws_no_novel_input_whose_prefix_is_its_label():
    instrument = Systematicity()
    drawn = instrument.data(speaker(memorises=False), Unlabelled(Spoken()), instrument.budgets["quick"], Random(0, "test"))
    assert (len(drawn.novel), [group.which for group in drawn.groups]) == (0, ["trained combinations"])


def decoded(cuts, depth, state, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Greedy decoding from a state in the place of the source."""
    prefix = inputs["prefix"].clone()
    prefix[:, 1:] = 0
    for step in range(prefix.shape[1]):
        said = cuts.run({**inputs, "prefix": prefix}, depth, state).argmax(-1)
        if step + 1 < prefix.shape[1]:
            prefix[:, step + 1] = said[:, step]
    return said


def test_given_the_declared_answer_every_step_is_right_exactly_if_own_decoding_returns_it():
    """On a network with random weights, whose states are random too: half of the answers are what it decodes, half are not."""
    task = load_task("scan:addprim_jump")
    subject = Subject(build("encoder-decoder", task, generator=Generator().manual_seed(0), width=16, depth=1, heads=2).eval())
    examples = task.examples("seen", 40, generator=Generator().manual_seed(0))
    inputs = {"source": examples.inputs["source"], "prefix": examples.inputs["prefix"][:, :12]}
    cuts = subject.cuts(inputs, fixed=["prefix"])
    assert 3 < len(cuts) < len(subject.cuts(inputs))
    drawn = Generator().manual_seed(1)
    for depth in (0, len(cuts) - 1):
        state = cuts.read(inputs, depth)
        flat = state.flat()
        state = state.unflat(flat + 3 * torch.randn(flat.shape, generator=drawn) * flat.std())
        own = decoded(cuts, depth, state, inputs)
        targets = own.clone()
        where = torch.randint(12, (20,), generator=drawn)
        targets[torch.arange(20), where] = (targets[torch.arange(20), where] + 1) % 9
        given = {**inputs, "prefix": torch.cat([inputs["prefix"][:, :1], targets[:, :-1]], 1)}
        right = (cuts.run(given, depth, state).argmax(-1) == targets).all(1)
        assert right.tolist() == [False] * 20 + [True] * 20
        assert len(own.unique(dim=0)) > 3, "the states matter"


def test_one_template_is_read_and_its_kinds_of_novelty_are_those_of_the_whole_task():
    task = Spoken()
    examples = task.examples("seen", 100, generator=Generator().manual_seed(0))
    one = one_template(task, prefix_of(examples), examples)
    assert isinstance(one, OneTemplate)
    assert one.combines == ("i", "j"), "the third part is alike in all of them"
    for split in ("seen", "novel"):
        assert 2 * len(one.combinations(split)) == len(task.combinations(split))
    some = one.examples("novel", 30, generator=Generator().manual_seed(1))
    assert len({tuple((row == 0).tolist()) for row in some.inputs["source"]}) == 1
    assert bool(
        torch.isin(some.combination, one.combination_id(dict(zip("ij", one.combinations("novel").T, strict=True)))).all()
    )
    found = one.novelty(one.combinations("novel"))
    assert len(found.ids) == len(found.kinds) == len(one.combinations("novel"))
    assert bool((found.ids.diff() > 0).all())


class Undeclared(Spoken):
    parts = tuple(dataclasses.replace(part, absent=None) for part in Spoken.parts)


class Alone(Spoken):
    def examples(self, split, n, *, generator):
        examples = super().examples(split, n, generator=generator)
        return dataclasses.replace(examples, inputs={"prefix": examples.inputs["prefix"]})


@pytest.mark.parametrize(
    ("task", "why"), [(Undeclared(), "source has several lengths"), (Alone(), "prefix is the answer shifted by one")]
)
def test_answers_of_many_passes_are_refused_where_parts_have_no_place_or_there_is_no_source(task, why):
    with pytest.raises(NotEnough, match=why):
        Recombination().data(speaker(memorises=False), task, QUICK["quick"], Random(0, "test"))


def test_scan_says_what_follows_from_an_exchange_and_that_nothing_does_outside_the_grammar():
    task, grammar = load_task("scan:addprim_jump"), set(commands())
    base = task.examples("seen", 300, generator=Generator().manual_seed(0))
    source = task.examples("seen", 300, generator=Generator().manual_seed(1))
    for part in task.parts:
        swapped = task.swap(base, source, part.name)
        rows = torch.stack([swapped.parts[name] for name in task.combines], 1).tolist()
        for row, target, known in zip(rows, swapped.targets, swapped.defined, strict=True):
            command = ScanCommand(*(one.values[value] for one, value in zip(task.parts, row, strict=True)))
            assert bool(known) == (command in grammar)
            if known:
                assert [TARGET_WORDS[token] for token in target if token] == [*command.actions(), "END"]
