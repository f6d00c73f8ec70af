"""The frame on an instrument whose readings are planted: nulls, gains, references and refusals are computed by hand."""

import dataclasses
import os

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from assay.conformance.tasks import small_task
from assay.display import counted
from assay.errors import AssayError
from assay.evidence import UNTRAINED
from assay.instrument import Budget, Control, Instrument, Metric, NotEnough, Notes, OtherData, Random, Reading, Values, run
from assay.stats import mean_interval
from assay.subject import Subject

TASK = small_task()
OWN = torch.tensor([0.9, 0.8, 1.0, 0.7, 0.6, 0.8])
PLAIN = Metric(key="plain", title="plain score", unit="share", level=0, bounds=(-1.0, 2.0), headline=True)


class Constant(nn.Module):
    """Holds one number, which its copies draw anew."""

    def __init__(self, value: float):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, tokens):
        return self.value.expand(len(tokens), 5)


def subject(value: float = 0.0) -> Subject:
    return Subject(Constant(value), fresh=lambda generator: Constant(float(torch.rand(1, generator=generator)) / 10))


class Planted(Instrument[torch.Tensor]):
    """Its values are `OWN` minus the network's number."""

    name = "planted"
    question = "What was planted?"
    cites = ("redhardt2025",)
    budgets = {"quick": Budget()}  # noqa: RUF012

    def __init__(self, metric: Metric = PLAIN, **more):
        self.metrics, self.more = (metric,), more

    def data(self, subject, task, budget, rng):
        return OWN

    def read(self, network, data, rng):
        return Reading([Values(metric=self.metrics[0].key, units=data - network.module.value.item(), **self.more)])

    def explain(self, data, readings, measures):
        return Notes(f"{len(readings.copies)} copies, references {', '.join(readings.references)}.")


def measured(instrument, **options):
    (measure,) = run(instrument, subject(), TASK, effort="quick", seed=0, **options).measures
    return measure


def null_of(measure, name):
    (null,) = [null for null in measure.nulls if null.name == name]
    return null


def drawn():
    """The numbers of the five copies."""
    keys = [Random(0, "planted").within("copy", k) for k in range(5)]
    return [subject().untrained(key("weights")).module.value.item() for key in keys]


def test_copies_are_a_null_of_every_metric_and_keep_their_units():
    measure = measured(Planted())
    assert measure.value == pytest.approx(float(OWN.mean()))
    assert (measure.unit, measure.unit_of, measure.units, measure.headline) == ("share", "combination", 6, True)
    assert measure.repeats == pytest.approx(tuple(OWN.tolist()))
    null = null_of(measure, UNTRAINED)
    assert null.values == pytest.approx([float(OWN.mean()) - value for value in drawn()])
    assert null.units.shape == (5, 6)
    assert null.units[2] == pytest.approx((OWN - drawn()[2]).numpy(), abs=1e-6)


def test_p_above_the_copies_is_that_of_one_more_copy():
    """Student's t by hand: the variance of predicting one more network, and none over units, whose differences are equal."""
    values = torch.tensor([float(OWN.mean()) - value for value in drawn()], dtype=torch.float64)
    gain = float(OWN.mean()) - float(values.mean())
    t = gain / (float(values.std()) * (1 + 1 / 5) ** 0.5)
    assert null_of(measured(Planted()), UNTRAINED).p == pytest.approx(float(stats.t.sf(t, 4)), rel=1e-4)


def test_a_gain_is_told_above_the_copies_and_so_are_its_nulls():
    control = Control(name="other", how="made up", values=torch.tensor([[0.5] * 6]))
    metric = dataclasses.replace(PLAIN, gain=True, bounds=None, beats=(UNTRAINED, "other"))
    measure = measured(Planted(metric, controls=(control,)))
    mean = sum(drawn()) / 5
    assert measure.value == pytest.approx(mean, abs=1e-6)
    assert sum(null_of(measure, UNTRAINED).values) == pytest.approx(0, abs=1e-6)
    assert null_of(measure, "other").values == pytest.approx([0.5 - float(OWN.mean()) + mean], abs=1e-6)
    assert null_of(measure, "other").p == pytest.approx(
        float(stats.ttest_1samp(OWN - 0.5, 0, alternative="greater").pvalue), rel=1e-3
    )
    assert measure.interval.low < measure.value < measure.interval.high
    assert measure.note.endswith(", the mean of untrained copies")


def test_controls_of_the_network_are_permutation_tests_or_paired():
    shuffled = Control(name="shuffled", how="made up", values=torch.tensor([0.1, 0.2, 0.9]))
    told = Control(name="told", how="made up", values=torch.tensor([0.1]), p=0.25)
    measure = measured(Planted(controls=(shuffled, told)))
    assert null_of(measure, "shuffled").p == 2 / 4  # itself, and the one above it
    assert null_of(measure, "shuffled").units is None
    assert null_of(measure, "told").p == 0.25
    lower = measured(Planted(dataclasses.replace(PLAIN, better="lower"), controls=(shuffled,)))
    assert null_of(lower, "shuffled").p == 3 / 4


def test_a_control_may_lack_some_of_the_units():
    values = torch.tensor([[0.5, 0.6, torch.nan, 0.4, 0.6, 0.4], [0.7, 0.4, torch.nan, 0.6, 0.2, 0.2]])
    null = null_of(measured(Planted(controls=(Control(name="fewer", how="made up", values=values),))), "fewer")
    kept = [0, 1, 3, 4, 5]
    assert null.values == pytest.approx([0.5, 0.42])
    right = stats.ttest_rel(OWN[kept], values[:, kept].mean(0), alternative="greater").pvalue
    assert null.p == pytest.approx(float(right), rel=1e-3)
    assert null.how == "made up, on 5 of 6 units"
    assert np.isnan(null.units).tolist() == [[False, False, True, False, False, False]] * 2


def test_the_same_network_is_read_again_on_other_data():
    class Again(Planted):
        def controls(self, data, rng):
            return {"permuted": OtherData("made up", [data * 0 + float(torch.rand(1, generator=rng(k))) for k in range(3)])}

    null = null_of(measured(Again()), "permuted")
    assert len(set(null.values)) == 3
    assert null.p == (1 + sum(value >= float(OWN.mean()) for value in null.values)) / 4


def test_what_comes_from_copies_is_joined_over_them():
    class Moved(Planted):
        def read_copy(self, network, data, own, rng):
            (values,) = self.read(network, data, rng).values
            moved = Control(name="moved", how="made up", values=values.units[None] / 2)
            return Reading([dataclasses.replace(values, moved=(moved,))])

    null = null_of(measured(Moved()), "moved")
    assert null.values == pytest.approx([(float(OWN.mean()) - value) / 2 for value in drawn()], abs=1e-6)
    assert null.units.shape == (5, 6)


def test_references_are_read_like_the_first_and_named():
    measure = measured(Planted(), references={"dense": subject(0.3), "other seed": subject(-0.1)})
    assert null_of(measure, "dense").values == pytest.approx([float(OWN.mean()) - 0.3], abs=1e-6)
    assert null_of(measure, "dense").p == 2**-6  # nothing varies: the sign test
    assert null_of(measure, "other seed").p == 1.0
    evidence = run(Planted(), subject(), TASK, effort="quick", references={"dense": subject(0.3)})
    assert evidence.summary == "5 copies, references dense."


def test_copies_may_have_some_of_the_units():
    class Fewer(Planted):
        def read(self, network, data, rng):
            return Reading([Values(metric="plain", units=data, ids=torch.arange(6))])

        def read_copy(self, network, data, own, rng):
            return Reading([Values(metric="plain", units=data[:5] - 0.1 * torch.rand(5, generator=rng()), ids=torch.arange(5))])

    null = null_of(measured(Fewer()), UNTRAINED)
    assert null.units.shape == (5, 6)
    assert np.isnan(null.units).tolist() == [[False] * 5 + [True]] * 5
    assert null.p < 0.5
    assert "on 5 of 6" in null.how


def test_a_number_that_is_no_mean_has_its_variance():
    class Ratio(Planted):
        def read(self, network, data, rng):
            return Reading([Values(metric="plain", units=data, value=0.8 - network.module.value.item(), variance=0.01)])

    metric = dataclasses.replace(PLAIN, gain=True)
    measure = measured(Ratio(metric))
    assert measure.value == pytest.approx(sum(drawn()) / 5)
    spread = (torch.tensor(drawn(), dtype=torch.float64).var() * 1.2 + 0.01).sqrt()
    half = float(stats.t.ppf(0.975, 4)) * float(spread)
    assert measure.interval.high - measure.value == pytest.approx(half, rel=1e-5)
    assert measure.repeats == ()


def test_an_instrument_without_copies_has_other_nulls():
    class Answers(Planted):
        budgets = {"quick": Budget(copies=0)}  # noqa: RUF012

    control = Control(name="permuted", how="made up", values=torch.tensor([0.1, 0.2]))
    measure = measured(Answers(dataclasses.replace(PLAIN, beats=("permuted",)), controls=(control,)))
    assert [null.name for null in measure.nulls] == ["permuted"]
    assert measure.value == pytest.approx(float(OWN.mean()))


@pytest.mark.parametrize("num", [0, 1, 4])
def test_too_few_units_are_not_enough_data(num):
    class Short(Planted):
        def data(self, subject, task, budget, rng):
            return OWN[:num]

    measure = measured(Short())
    assert measure.value is measure.interval is None
    assert measure.nulls == ()
    assert measure.note == f'not enough data: {counted(num, "combination")}, and "plain score" needs 5'
    assert not run(Short(), subject(), TASK, effort="quick").findings()


def test_a_reason_stands_in_the_place_of_the_number():
    measure = measured(Planted(reason="no part is isolated"))
    assert (measure.value, measure.note) == (None, "no part is isolated")


@pytest.mark.parametrize("where", ["data", "read"])
def test_an_instrument_may_refuse(where):
    class Refuses(Planted):
        def refuse(self, *_):
            raise NotEnough("three texts.")

    setattr(Refuses, where, Refuses.refuse)
    evidence = run(Refuses(), subject(), TASK, effort="quick")
    assert (evidence.not_enough, evidence.summary, evidence.measures) == ("three texts", "Not enough data: three texts.", ())


def test_a_null_that_is_missing_is_a_fault():
    with pytest.raises(AssertionError, match="plain lacks required nulls: permuted"):
        measured(Planted(dataclasses.replace(PLAIN, beats=(UNTRAINED, "permuted"))))


def test_an_effort_without_a_budget_names_the_choices():
    with pytest.raises(AssayError, match="quick"):
        run(Planted(), subject(), TASK, effort="full")


def test_random_generators_depend_on_their_key_alone():
    rng = Random(3, "name")
    first = torch.rand(4, generator=rng("copy", 3))
    torch.rand(4, generator=rng("something new"))
    assert torch.equal(first, torch.rand(4, generator=rng("copy", 3)))
    assert torch.equal(first, torch.rand(4, generator=rng.within("copy")(3)))
    others = [rng("copy", 4), rng(), Random(4, "name")("copy", 3), Random(3, "other")("copy", 3)]
    assert not any(torch.equal(first, torch.rand(4, generator=other)) for other in others)


class Process(Planted):
    """Tells in how many processes copies were read."""

    long = True

    def read_copy(self, network, data, own, rng):
        return self.read(network, data, rng)._replace(kept=os.getpid())

    def explain(self, data, readings, measures):
        return Notes(f"{any(copy.kept != os.getpid() for copy in readings.copies)}")


def test_copies_are_read_in_processes_to_the_same_bits():
    alone, beside = (run(Process(), Subject(Constant(0.2)), TASK, effort="quick", jobs=jobs) for jobs in (1, 2))
    assert (alone.summary, beside.summary) == ("False", "True")
    assert alone.measures == beside.measures


# What must not be taken for a finding


class Beside(Planted):
    """The network has `OWN`; of its copies `copy` tells the values."""

    def __init__(self, copy, metric=PLAIN, **more):
        super().__init__(metric, **more)
        self.copy = copy

    def read(self, network, data, rng):
        return Reading([Values(metric="plain", units=data, **self.more)])

    def read_copy(self, network, data, own, rng):
        return Reading([Values(metric="plain", **one) for one in self.copy(data, rng)])


def less(data, rng):
    return [{"units": data - 0.5 - 0.1 * torch.rand(6, generator=rng())}]


@pytest.mark.parametrize("gain", [False, True])
def test_where_lower_is_better_a_higher_network_is_no_finding(gain):
    metric = dataclasses.replace(PLAIN, better="lower", gain=gain)
    low = Control(name="low", how="made up", values=(OWN - 0.5)[None])
    evidence = run(Beside(less, metric, controls=(low,)), subject(), TASK, effort="quick", references={"dense": subject()})
    (measure,) = evidence.measures
    assert null_of(measure, UNTRAINED).p > 0.99
    assert null_of(measure, "low").p == 1.0
    assert evidence.findings() == ()
    (higher,) = run(Beside(less, dataclasses.replace(metric, better="higher")), subject(), TASK, effort="quick").measures
    assert higher.value == measure.value
    assert higher.p == pytest.approx(1 - null_of(measure, UNTRAINED).p)


def test_units_are_paired_by_their_ids_in_any_order():
    def dealt(data, rng):
        order = torch.randperm(6, generator=rng("order"))
        return [{"units": (data - 0.1 - 0.01 * torch.rand(6, generator=rng()))[order], "ids": order}]

    measure = measured(Beside(dealt, ids=torch.arange(6)), references={"dense": subject()})
    assert null_of(measure, UNTRAINED).units == pytest.approx(np.tile(OWN - 0.105, (5, 1)), abs=0.006)
    assert null_of(measure, UNTRAINED).p < 1e-3
    assert null_of(measure, "dense").units == pytest.approx(OWN[None].numpy() - 0.105, abs=0.006)
    assert null_of(measure, "dense").p < 1e-3


def test_copies_that_share_too_few_units_are_not_enough_data():
    def some(data, rng):
        rows = torch.randperm(6, generator=rng("rows"))[:5]
        return [{"units": data[rows] - 0.3, "ids": rows}]

    measure = measured(Beside(some, ids=torch.arange(6)))
    assert measure.value is None
    assert "read on 5 of 5 untrained copies, and an interval needs two of them and 5 combinations in common" in measure.note


@pytest.mark.parametrize("gain", [False, True])
def test_copies_without_a_number_are_not_enough_data(gain):
    class Gated(Planted):
        def read_copy(self, network, data, own, rng):
            raise NotEnough("it has not learned the task")

    measure = measured(Gated(dataclasses.replace(PLAIN, gain=gain)))
    assert measure.value is None
    assert "plain score was read on 0 of 5 untrained copies" in measure.note


@pytest.mark.parametrize("copies", [0, 1])
@pytest.mark.parametrize("more", [{}, {"value": 0.5, "variance": 0.1}])
def test_one_copy_is_no_null(copies, more):
    class Alone(Planted):
        budgets = {"quick": Budget(copies=copies)}  # noqa: RUF012

    assert measured(Alone(**more)).note.startswith(
        f"not enough data: plain score was read on {copies} of {copies} untrained copies"
    )


def test_what_some_copies_lack_is_joined_by_name_over_the_others():
    def moved(data, rng):
        both = [Control(name=name, how="made up", values=data[None] * k) for name, k in (("one", 0.5), ("other", 0.1))]
        return [{"units": data - torch.rand(1, generator=rng()), "moved": tuple(both[: int(rng().initial_seed() % 3)])}]

    counts = [int(Random(0, "planted").within("copy", k)().initial_seed() % 3) for k in range(5)]
    assert set(counts) == {0, 1, 2}
    measure = measured(Beside(moved))
    for least, name in ((1, "one"), (2, "other")):
        having = sum(count >= least for count in counts)
        assert [len(null.values) for null in measure.nulls if null.name == name] == ([having] if having > 1 else [])


def test_units_of_nulls_of_a_gain_are_told_above_the_copies_too():
    """So that they can be paired with the values of the network's own units."""
    control = Control(name="other", how="made up", values=(OWN - 0.2)[None])
    measure = measured(Beside(less, dataclasses.replace(PLAIN, gain=True), controls=(control,)))
    for null in measure.nulls:
        assert null.units.mean(1) == pytest.approx(null.values, abs=1e-6)
    assert np.array(measure.repeats) - null_of(measure, "other").units[0] == pytest.approx(np.full(6, 0.2), abs=1e-6)


def test_repeats_of_a_control_that_cannot_be_read_are_left_out():
    class Some(Planted):
        def controls(self, data, rng):
            return {"permuted": OtherData("made up", [data * 0, None])}

        def read(self, network, data, rng):
            if data is None:
                raise NotEnough("one value is left")
            return super().read(network, data, rng)

    assert null_of(measured(Some()), "permuted").values == pytest.approx([0.0])


def test_a_control_draws_apart_from_the_copy_of_its_name():
    class Drawing(Planted):
        def read(self, network, data, rng):
            return Reading([Values(metric="plain", units=torch.rand(6, generator=rng()))])

        def controls(self, data, rng):
            return {"copy": OtherData("made up", [data])}

    measure = measured(Drawing())
    assert null_of(measure, "copy").values[0] != null_of(measure, UNTRAINED).values[0]


def test_two_values_of_one_metric_about_the_same_are_a_fault():
    with pytest.raises(AssayError, match="planted: a Reading must hold each metric and `about` once"):
        measured(Beside(lambda data, rng: [{"units": data}, {"units": data}]))


@pytest.mark.parametrize(("more", "said"), [({"variance": 0.1}, "interval"), ({"interval": mean_interval(OWN)}, "variance")])
def test_a_number_that_is_no_mean_needs_its_interval_and_variance(more, said):
    with pytest.raises(AssertionError, match=f"needs `{said}`"):
        measured(Planted(value=0.1, **more))


def test_values_of_other_units_are_a_fault():
    with pytest.raises(AssertionError, match="one for each repeat"):
        measured(Planted(controls=(Control(name="one column", how="made up", values=torch.tensor([[0.1]])),)))


def test_a_reference_has_a_name_of_its_own():
    with pytest.raises(AssayError, match="rename the reference"):
        measured(Planted(), references={UNTRAINED: subject(0.3)})


def test_a_finding_need_not_beat_a_reference():
    """Another seed that does as well is no null: it says nothing against the finding."""
    alone = run(Planted(), subject(-0.2), TASK, effort="quick")
    beside = run(Planted(), subject(-0.2), TASK, effort="quick", references={"other seed": subject(-0.3)})
    assert [m.key for m in alone.findings()] == [m.key for m in beside.findings()] == ["plain"]
    assert beside.measures[0].p == alone.measures[0].p


def test_numbers_that_are_not_finite_are_a_fault_of_the_instrument():
    class Broken(Planted):
        def data(self, subject, task, budget, rng):
            return OWN * torch.tensor([1.0, 1.0, float("nan"), 1.0, 1.0, 1.0])

    with pytest.raises(AssertionError, match="plain must be finite"):
        measured(Broken())
