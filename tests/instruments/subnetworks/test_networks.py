"""The network is the unit: exact signs, five at least."""

import pytest

from assay.errors import AssayError
from assay.evidence import Evidence, Interval, Measure, Null
from assay.instruments.subnetworks import over_networks


def evidence(value: float | None, *, not_enough: str = "", instrument: str = "subnetworks") -> Evidence:
    measure = Measure(
        key="necessity",
        name="necessity",
        value=value,
        unit="difference",
        direction="higher",
        interval=Interval(low=-1.0, high=1.0, level=0.95, method="none"),
        nulls=(Null(name="untrained copies", how="", values=(0.0,)),),
        units=1,
        unit_of="combination",
        about={"part": "a"},
        ceiling=0.75,
        level=0,
    )
    return Evidence(
        instrument=instrument,
        question="?",
        summary="",
        measures=() if not_enough else (measure,),
        not_enough=not_enough,
    )


def over(*values: float | None) -> Measure:
    return over_networks([evidence(value) for value in values]).measure("necessity", part="a")


def test_five_networks_that_agree_are_a_finding_of_exact_p():
    measure = over(0.6, 0.7, 0.65, 0.72, 0.55)
    assert measure.p == 1 / 32
    assert measure.value == pytest.approx(0.644)
    assert measure.interval.low > 0.5
    assert measure.unit_of == "network"
    assert measure.repeats == (0.6, 0.7, 0.65, 0.72, 0.55)


def test_flipping_every_value_turns_the_p_around():
    values = [0.3, -0.1, 0.2, 0.05, 0.4]
    up, down = over(*values), over(*(-value for value in values))
    assert up.p + down.p == pytest.approx(1 + 1 / 32, abs=1 / 32)
    assert up.value == -down.value


def test_a_network_without_the_part_counts_as_nothing():
    assert over(0.7, 0.7, None, 0.7, 0.7).value == pytest.approx(0.56)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.6, 0.7, 0.65, 0.72, 0.55), "is modular"),
        ((0.01, -0.02, 0.03, 0.0, 0.02), "is not modular"),
        ((None,) * 5, "is not resolved"),
        ((0.7, -0.1, 0.6, -0.2, 0.5), "is not resolved"),
    ],
)
def test_the_word_is_that_of_the_same_rule(values, word):
    assert word in over_networks([evidence(value) for value in values]).summary


def test_many_networks_draw_their_signs_and_say_the_same():
    values = [0.3 + 0.01 * k for k in range(20)]
    measure = over(*values)
    assert measure.p == 1 / 20_000
    assert measure == over(*values)


@pytest.mark.parametrize("num", [0, 1, 4])
def test_fewer_than_five_are_refused(num):
    with pytest.raises(AssayError, match=f"{num} that solve the task, of {num}"):
        over_networks([evidence(0.7)] * num)


def test_networks_that_failed_their_gate_are_left_out_and_counted():
    failed = evidence(None, not_enough="base network does not solve it")
    joined = over_networks([evidence(0.6 + 0.01 * k) for k in range(5)] + [failed])
    assert joined.measure("necessity").units == 5
    assert joined.warnings == ("left out: base network does not solve it",)
    with pytest.raises(AssayError, match="4 that solve the task, of 6"):
        over_networks([evidence(0.6)] * 4 + [failed] * 2)


def test_evidence_of_another_instrument_is_refused():
    with pytest.raises(AssayError, match="organisation"):
        over_networks([evidence(0.6, instrument="organisation")] * 5)
