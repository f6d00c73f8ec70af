"""Systematicity and decodability say on the frame what they said before it: values and intervals of networks whose weights are
keyed, as the code of commit e9ac06c wrote them into stored_evidence.json. Nulls, and what is measured against drawn ones, are
drawn by other keys now and are not compared. On one machine values agree to the bit; elsewhere products round otherwise, which
can also move the answer to one example."""

import json
from pathlib import Path

import pytest

from assay.audit import audit
from assay.instruments import load_instrument
from assay.models import build
from assay.stats import keyed_generator
from assay.subject import Subject
from assay.tasks import load_task

ROUNDED, ONE_ANSWER = 1e-5, 0.01

CASES = {
    "modular": ("modular:p=13,num_first=11,num_second=11,coverage=0.6", "mlp"),
    "modular-synonyms": ("modular:coverage=0.6,synonyms=true", "mlp"),
    "transducer": ("transducer", "transformer"),
    "hyperteacher": ("hyperteacher", "mlp"),
}
STORED = json.loads((Path(__file__).parent / "stored_evidence.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_own_values_are_those_from_before_the_frame(case):
    address, model = CASES[case]
    task = load_task(address)

    def draw(generator):
        return build(model, task, generator=generator)

    subject = Subject(draw(keyed_generator(0, case)), name=case, fresh=draw)
    instruments = [load_instrument("systematicity"), load_instrument("decodability")]
    evidence = audit(subject, task, seed=3, effort="quick", instruments=instruments).evidence
    moved = []
    for item in evidence:
        for key, about, value, interval, units in STORED[case][item.instrument]:
            measure = item.measure(key, **{name: told for name, told in about.items() if value is not None or name != "site"})
            assert (measure.value is None) == (value is None), measure.label
            assert measure.units == units
            if value is not None:
                now = (measure.value, measure.interval.low, measure.interval.high)
                moved.append(max(abs(new - old) for new, old in zip(now, (value, *interval), strict=True)))
                assert moved[-1] < ONE_ANSWER, measure.label
    assert len(moved) > 20
    assert sum(one > ROUNDED for one in moved) <= len(moved) / 20
