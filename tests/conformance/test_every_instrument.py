"""What every registered instrument must pass. None is named here, and none is passed over: a new one is tested as soon as it is
registered, on the first case whose task has what it needs."""

import pytest
import torch
from cases import GATES, INSTRUMENTS, case_of

from assay.conformance import CHECKS
from assay.conformance.checks import measured
from assay.instruments import all_instruments
from assay.stored_examples import input_lines

pytestmark = pytest.mark.slow


def test_every_registered_instrument_is_checked():
    assert [instrument.name for instrument in INSTRUMENTS] == [instrument.name for instrument in all_instruments()]


@pytest.mark.parametrize(
    "instrument", [*INSTRUMENTS, GATES], ids=[*(instrument.name for instrument in INSTRUMENTS), "circuits by gates"]
)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_conformance(check, instrument):
    check(instrument, case_of(instrument))


@pytest.mark.parametrize("instrument", all_instruments(), ids=lambda instrument: instrument.name)
def test_untrained_copies_are_at_least_five_at_every_effort(instrument):
    for budget in instrument.budgets.values():
        assert max(getattr(budget, "copies", 0), getattr(budget, "untrained", 0)) >= 5


def _case_and_inputs(name, unit):
    instrument = next(one for one in INSTRUMENTS if one.name == name)
    return case_of(instrument), measured(instrument, case_of(instrument)).inputs[unit]


def test_what_was_given_is_what_the_task_gives():
    """By a second route: all texts and examples that there are, drawn from the task itself."""
    every = {"n": 10**6, "generator": torch.Generator().manual_seed(5)}
    case, texts = _case_and_inputs("polar", "text")
    assert set(texts.values()) <= {" ".join(graph.words) for graph in case.task.graphs("test", **every)}
    assert len(texts) == 20
    case, inputs = _case_and_inputs("subgraphs", "example")
    for split in ("seen", "novel"):
        examples = case.task.examples(split, 2_000, generator=torch.Generator().manual_seed(5))
        lines = dict(zip(examples.combination.tolist(), input_lines(examples, case.task), strict=True))
        both = lines.keys() & inputs.keys()
        assert len(both) > 20
        assert {k: lines[k] for k in both} == {k: inputs[k] for k in both}
    case, excerpts = _case_and_inputs("langue", "excerpt")
    assert all(any(text in document for document in case.task.corpus().test) for text in excerpts.values())
