"""Planted activations: a part that training made readable, one that was readable all along, one that never was."""

import dataclasses

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.conformance.tasks import Scrambled
from assay.errors import AssayError
from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.decodability import Decodability
from assay.instruments.decodability.block import ROWS_PER_AXIS, ReadoutBlock, deal_all
from assay.instruments.decodability.control import control_tasks
from assay.instruments.decodability.crossfit import (
    BlockFit,
    Decoded,
    NovelReadouts,
    ProbedBlock,
    combination_folds,
    decode,
    example_folds,
    shuffled_scores,
)
from assay.instruments.decodability.features import INPUT, ProbeFeatures
from assay.instruments.decodability.readouts import Readout, find, readouts
from assay.models import build
from assay.probe import PENALTIES, one_hot
from assay.subject import Subject
from assay.task import Examples, Task
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.modular import Modular

pytestmark = pytest.mark.slow

MODULAR = Modular(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.6)
SCRAMBLED = Scrambled(MODULAR)


class Reveals(nn.Module):
    """Recognises its input and writes the value of i into a hidden layer, once it is `trained`."""

    def __init__(self, *, trained: bool):
        super().__init__()
        everything = SCRAMBLED.examples("seen", 10**6, generator=Generator().manual_seed(0))
        more = SCRAMBLED.examples("novel", 10**6, generator=Generator().manual_seed(0))
        self.register_buffer("rows", torch.cat([everything.inputs["x"], more.inputs["x"]]))
        self.register_buffer("values", torch.cat([everything.parts["i"], more.parts["i"]]))
        self.trained = trained
        self.hidden = nn.Identity()
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        values = self.values[torch.cdist(x, self.rows).argmin(1)]
        if not self.trained:
            values = (x[:, 0] * 1000).long() % 6
        return self.head(self.hidden(nn.functional.one_hot(values, 6).float()))


def measured(subject: Subject, task: Task, **options) -> Evidence:
    return run(Decodability(**options), subject, task, effort="quick", seed=0)


def test_what_training_made_readable_is_found():
    subject = Subject(Reveals(trained=True), fresh=lambda generator: Reveals(trained=False))
    evidence = measured(subject, SCRAMBLED)
    assert evidence.measure("decodability_gain", part="i").value > 0.4
    assert [m.about["part"] for m in evidence.findings()] == ["i"]
    assert evidence.measure("decodability_by_site", part="i", site="hidden:in").value == 1.0
    assert evidence.measure("decodability_on_novel_combinations", part="i").value == 1.0


class Shown(Modular):
    """Modular composition of which only the parts that the input shows are declared."""

    def _derived(self):
        return ()


def test_what_the_input_gives_away_is_no_finding():
    task = Shown(p=5, num_first=6, num_second=6, synonyms=True, coverage=0.6)
    evidence = measured(Subject(build("mlp", task, generator=Generator().manual_seed(0), width=32)), task)
    assert evidence.findings() == ()
    assert evidence.summary.startswith("Decodability is uninformative")
    for part in "ijx":
        assert evidence.measure("decodability_gain", part=part).value == pytest.approx(0, abs=1e-6)


def test_gain_is_nothing_on_untrained_networks():
    """experiments/false_findings.py states the rate over more of them."""
    inside = 0
    for seed in range(4):
        model = build("mlp", SCRAMBLED, generator=Generator().manual_seed(seed), width=32)
        evidence = run(Decodability(), Subject(model), SCRAMBLED, effort="quick", seed=seed)
        gains = [m for m in evidence.measures if m.key == "decodability_gain"]
        inside += all(m.interval.low <= 0 <= m.interval.high for m in gains)
    assert inside == 4


def test_graded_parts_are_read_as_presence_and_amount():
    task = Hyperteacher(num_modules=6, max_active=3)
    model = build("mlp", task, generator=Generator().manual_seed(0), width=16)
    evidence = measured(Subject(model), task)
    kinds = {(m.about["part"], m.about["readout"]) for m in evidence.measures if m.key == "decodability_gain"}
    names = [part.name for part in task.parts]
    assert kinds == {(name, kind) for name in names for kind in ("presence", "amount given present")}


def test_identity_encoded_amounts_are_in_the_input():
    """Research note 2b: R2 1.000 from the input alone, so that hidden decodability says nothing."""
    task = Hyperteacher(num_modules=6, max_active=3)
    model = build("mlp", task, generator=Generator().manual_seed(0), width=16)
    gain = measured(Subject(model), task).measure("decodability_gain", readout="amount given present")
    encoded = next(null for null in gain.nulls if null.name == "encoded input")
    assert gain.value == pytest.approx(encoded.values[0], abs=0.02)
    assert gain.interval.low <= 0.02


def test_folds_keep_combinations_apart(generator):
    combination = torch.arange(12).repeat_interleave(4)
    apart, spread = combination_folds(combination, generator), example_folds(combination)
    for value in range(12):
        assert len(apart[combination == value].unique()) == 1
        assert len(spread[combination == value].unique()) == 4


def place(table: Tensor, num_seen: int | None = None, *, limited: bool = False) -> ProbeFeatures:
    return ProbeFeatures.of(table, num_seen=len(table) if num_seen is None else num_seen, width=64, seed=0, limited=limited)


def of_kind(task: Task, examples: Examples, kind: str) -> list[Readout]:
    return [readout for readout in readouts(task, examples) if readout.kind == kind]


def test_a_value_that_occurs_in_one_fold_only_is_left_out(generator):
    examples = MODULAR.examples("seen", 10**6, generator=generator).in_canonical_order()
    folds = (combination_folds(examples.combination, generator) + 1) * (examples.parts["i"] != 0)  # value 0 has its own
    block = ReadoutBlock.of(readouts(MODULAR, examples)[:1], folds)
    answer = BlockFit.of(place(torch.randn(len(examples), 4, generator=generator)), block)
    alone = torch.stack([(examples.parts["i"][examples.combination == c] == 0).all() for c in examples.combination.unique()])
    assert answer.units[0][alone].isnan().all()
    assert not answer.units[0].isnan().all()
    assert block.num_unscored()[0] >= int((examples.parts["i"] == 0).sum())


HYPER = Hyperteacher(num_modules=5, max_active=3, held_out=0.4, samples_per_task=2)
KINDS = [(MODULAR, "value", slice(0, 2)), (HYPER, "presence", slice(None)), (HYPER, "amount given present", slice(None))]


@pytest.mark.parametrize(("task", "kind", "chosen"), KINDS, ids=["value", "presence", "amount"])
def test_scores_agree_with_scikit_learn_fitted_fold_by_fold(task, kind, chosen, generator):
    """The second route knows no shared factorisation: it fits every readout again without every fold."""
    from sklearn.linear_model import Ridge

    examples = task.examples("seen", 120, generator=generator).in_canonical_order()
    table = torch.randn(len(examples), 4, generator=generator) + sum(v[:, None] for v in examples.parts.values())
    folds = combination_folds(examples.combination, generator)
    found = of_kind(task, examples, kind)[chosen]
    block = ReadoutBlock.of(found, folds)
    at = place(table)
    answer = BlockFit.of(at, block)
    best = answer.design.fit(block.real_targets, group=block.group).best.flatten()[:: block.group]
    for k, readout in enumerate(found):
        rows, scores = readout.rows, torch.full((len(examples),), torch.nan)
        scale = float(at.scores[rows].var(0, correction=0).mean()) * int(rows.sum())
        targets = one_hot(readout.labels, readout.num_classes) if readout.num_classes else readout.labels[:, None]
        for fold in folds.unique():
            fit, test = rows & (folds != fold), rows & (folds == fold)
            if not test.any():
                continue
            ridge = Ridge(alpha=PENALTIES[int(best[k])] * scale).fit(at.scores[fit].double(), targets[fit].double())
            predictions = torch.from_numpy(ridge.predict(at.scores[test].double()))
            if readout.num_classes:
                seen = targets[fit].amax(0) > 0
                right = (predictions.argmax(1) == readout.labels[test]).float()
                scores[test] = right.where(seen[readout.labels[test]], torch.nan)
            else:
                errors = (predictions.view(len(predictions), -1)[:, 0] - readout.labels[test]).square()
                scores[test] = (1 - errors / readout.labels[rows].var(correction=0)).float()
        means = torch.stack([scores[examples.combination == c].nanmean() for c in examples.combination.unique()])
        assert torch.allclose(answer.units[k], means, atol=1e-3, equal_nan=True)


@pytest.mark.parametrize(("task", "kind", "chosen"), KINDS, ids=["value", "presence", "amount"])
def test_a_shuffle_scores_as_the_dealt_labels_would(task, kind, chosen, generator):
    examples = task.examples("seen", 120, generator=generator).in_canonical_order()
    table, folds = torch.randn(len(examples), 6, generator=generator), combination_folds(examples.combination, generator)
    found = of_kind(task, examples, kind)[chosen]
    deals = deal_all(found, 3, generator)
    block = ReadoutBlock.of(found, folds)
    scores = shuffled_scores([BlockFit.of(place(table), block)], ProbedBlock(block, None, deals))[:, 0]
    for repeat in range(3):
        dealt = [dataclasses.replace(one, labels=one.labels[deal[repeat]]) for one, deal in zip(found, deals, strict=True)]
        units = BlockFit.of(place(table), ReadoutBlock.of(dealt, folds)).units
        assert torch.allclose(scores[:, repeat], units.nanmean(1), atol=1e-4)


def test_dealt_labels_stay_constant_within_their_unit(generator):
    examples = MODULAR.examples("seen", 10**6, generator=generator).in_canonical_order()
    for readout in readouts(MODULAR, examples):
        mixed = readout.labels[readout.deal(3, generator)]
        for unit in readout.units.unique()[:10]:
            assert (mixed[:, readout.units == unit] == mixed[:, readout.units == unit][:, :1]).all()
        assert not torch.equal(mixed[0], readout.labels)
        assert torch.equal(mixed[0].unique(return_counts=True)[0], readout.labels.unique(return_counts=True)[0])


def test_amounts_are_dealt_among_the_examples_that_have_one(generator):
    examples = HYPER.examples("seen", 200, generator=generator).in_canonical_order()
    for readout in of_kind(HYPER, examples, "amount given present"):
        deal = readout.deal(2, generator)
        assert readout.rows[deal[:, readout.rows]].all()
        assert torch.equal(deal[0, ~readout.rows], (~readout.rows).nonzero()[:, 0])


def test_narrowing_ignores_rotation_of_units_and_novel_rows(generator):
    table = torch.randn(300, 100, generator=generator) * torch.logspace(0, -1, 100) + 3
    rotation = torch.linalg.qr(torch.randn(100, 100, generator=generator)).Q
    changed = torch.cat([table[:200], torch.randn(100, 100, generator=generator)])
    one, turned, other = place(table, 200), place(table @ rotation, 200), place(changed, 200)
    assert one.scores.shape == (200, 64)
    assert torch.equal(one.scores, other.scores)
    assert torch.allclose(one.scores.abs(), turned.scores.abs(), atol=1e-2)
    variances = one.scores.square().sum(0)
    assert (variances.diff() <= 1e-3).all()
    weights, offset = torch.randn(64, 2, generator=generator), torch.randn(2, generator=generator)
    wanted = (table[200:] - table[:200].mean(0)) @ one.span @ one.turn @ weights + offset
    assert torch.allclose(one.predict_novel(weights, offset), wanted, atol=1e-3)


def test_sites_show_few_examples_no_more_axes_than_they_bear(generator):
    examples = HYPER.examples("seen", 150, generator=generator).in_canonical_order()
    block = ReadoutBlock.of(
        of_kind(HYPER, examples, "amount given present"), combination_folds(examples.combination, generator)
    )
    table = torch.randn(len(examples), 30, generator=generator)
    fitted = float(block.used.sum()) * 4 / 5 / len(block.rows)
    assert 15 <= fitted / ROWS_PER_AXIS < 23, "the examples of this test"
    assert block.features(place(table, limited=True)).shape[-1] == 15
    assert block.features(place(table)).shape[-1] == 30


def decoded(table: Tensor, num_seen: int, seen: Examples, novel: Examples, kind: str) -> dict[str, Decoded]:
    found = of_kind(HYPER, seen, kind)
    block = ReadoutBlock.of(found, combination_folds(seen.combination, Generator().manual_seed(0)))
    counterparts = [find(readouts(HYPER, novel), readout) for readout in found]
    probed = ProbedBlock(block, NovelReadouts.of(block, counterparts, novel.combination), [])
    places = {INPUT: place(torch.ones(len(table), 1), num_seen), "site": place(table, num_seen)}
    answers = {name: [BlockFit.of(at, block)] for name, at in places.items()}
    return decode(places, answers, [probed], with_shuffles=False)


@pytest.mark.parametrize("kind", ["presence", "amount given present"])
def test_novel_combinations_are_read_at_the_best_place(kind, generator):
    """Features that hold every amount: what is read on seen combinations is read on novel ones; a constant says nothing."""
    seen, novel = (HYPER.examples(split, 200, generator=generator).in_canonical_order() for split in ("seen", "novel"))
    table = torch.stack([torch.cat([seen.amounts[name], novel.amounts[name]]) for name in HYPER.combines], 1)
    found = decoded(table, len(seen), seen, novel, kind)
    for readout in of_kind(HYPER, seen, kind):
        result, counterpart = found[readout.name], find(readouts(HYPER, novel), readout)
        assert result.places[result.best] == "site"
        assert len(result.novel) == len(novel.combination[counterpart.rows].unique())
        assert float(result.novel.mean()) > 0.95
        if kind != "presence":
            assert float(result.novel_input.mean()) <= 0.01


def test_the_control_task_is_learned_from_what_tells_combinations_apart(generator):
    """A one-hot of the combination fits any labels of combinations, a one-hot of the part only its own."""
    examples = MODULAR.examples("seen", 10**6, generator=generator).in_canonical_order()
    readout = readouts(MODULAR, examples)[0]
    inverse = examples.combination.unique(return_inverse=True)[1]
    for table, fitted in ((one_hot(inverse, int(inverse.max()) + 1), True), (one_hot(readout.labels, 6), False)):
        units = torch.ones(1, 22)
        zero, ids = torch.zeros(0), torch.arange(units.shape[1])
        own = Decoded(readout, (INPUT,), units, units, zero, zero, ids[:0], ids)
        control = control_tasks([own], {INPUT: place(table)}, examples.combination, generator=generator)[readout.name]
        assert (control.real == 1).all()
        assert control.random.shape == (5, 22)
        assert bool((control.random == 1).all()) == fitted
        assert float(control.random.mean()) > 0.99 or float(control.random.mean()) < 0.6


def test_no_control_task_where_combinations_have_one_example(generator):
    examples = MODULAR.examples("seen", 10**6, generator=generator).in_canonical_order().take(torch.arange(0, 110, 5))
    assert control_tasks([], {}, examples.combination, generator=generator) == {}


def test_sites_can_be_chosen_and_a_miss_lists_them():
    model = build("mlp", MODULAR, generator=Generator().manual_seed(0), width=16)
    evidence = measured(Subject(model), MODULAR, sites=["layers.1"])
    assert {m.about["site"] for m in evidence.measures if m.key == "decodability_by_site"} == {"layers.1:out"}
    with pytest.raises(AssayError, match=r"layers\.0:out"):
        measured(Subject(model), MODULAR, sites=["layer.1"])
