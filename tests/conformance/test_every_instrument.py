"""What every registered instrument must pass. None is named here, and none is passed over: a new one is tested as soon as it is
registered, on the first case whose task has what it needs."""

import pytest
from cases import GATES, INSTRUMENTS, case_of

from assay.conformance import CHECKS
from assay.instruments import all_instruments

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
