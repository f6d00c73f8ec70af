"""Examples stored with an audit: those that measures rest on, as the network saw them, and nothing that the level forbids."""

import base64
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

import assay
from assay.evidence import Evidence, Measure
from assay.stored_examples import MOST_EXAMPLES, png, stored_examples
from assay.subject import Subject
from assay.tasks import load_task
from assay.tasks.scan import SOURCE_WORDS
from assay.tasks.table import Table


def measure(ids, values, **changes):
    made = Measure(
        key="score", name="score", value=0.5, unit="accuracy", direction="neither", interval=None, nulls=(), units=len(ids),
        unit_of="combination", repeats=tuple(values), unit_ids=tuple(ids), level=2,
    )  # fmt: skip
    return replace(made, **changes)


def evidence(*measures):
    return [Evidence(instrument="one", question="?", summary="", measures=measures)]


class Adds(nn.Module):
    """Right on every pair but those whose sum is 0."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, tokens):
        total = (tokens[:, 0] + tokens[:, 1] - 7) % 7
        return nn.functional.one_hot(torch.where(total == 0, 3, total), 7).float() + self.w


def of_addition(level=2, most=MOST_EXAMPLES):
    task = load_task("modular-addition:p=7,coverage=0.7")
    ids = range(49)
    found = stored_examples(evidence(measure(ids, [0.0] * 49)), Subject(Adds()), task, level=level, seed=0)
    return task, {one.combination: one for one in found}


def test_every_combination_is_shown_as_the_network_saw_and_answered_it():
    task, found = of_addition()
    assert sorted(found) == list(range(49))
    novel = {tuple(row) for row in task.combinations("novel").tolist()}
    for one in found.values():
        i, j = divmod(one.combination, 7)
        total = (i + j) % 7
        assert one.inputs == {"input": f"{i} {j}"}, "the values of both parts, and not the tokens by which they are given"
        assert (one.target, one.answer, one.score) == (str(total), str(total or 3), float(total != 0))
        assert one.split == ("novel" if (i, j) in novel else "seen")


def test_no_level_shows_more_than_it_allows():
    assert {one.split for one in of_addition(0)[1].values()} == {"seen"}
    for one in of_addition(1)[1].values():
        assert (one.target == "" and one.score is None) == (one.split == "novel")
        assert one.answer


def test_of_many_combinations_those_of_headlines_at_both_ends_come_first():
    task = load_task("modular-addition:p=31,coverage=0.7")
    ids = list(range(961))
    headline = measure(ids[:300], [k / 300 for k in range(300)], headline=True)
    other = measure(ids, [0.0] * 961, key="other")

    class Zero(nn.Module):
        def forward(self, tokens):
            return torch.zeros(len(tokens), 31)

    found = stored_examples(evidence(other, headline), Subject(Zero()), task, level=2, seed=0)
    assert [one.combination for one in found] == [*range(100), *range(200, 300)]


def test_nothing_is_stored_where_no_measure_rests_on_combinations():
    texts = measure(range(9), [0.0] * 9, unit_of="text")
    none = measure((), ())
    task = load_task("modular-addition:p=7")
    assert stored_examples(evidence(texts, none), Subject(Adds()), task, level=2, seed=0) == ()


def stored_pictures(images):
    """Of six pictures, the combinations of three values of one part with two of another."""
    parts = {"colour": [0, 0, 1, 1, 2, 2], "shape": [0, 1, 0, 1, 0, 1]}
    task = Table(inputs=images, targets=torch.tensor([0, 1, 2, 3, 4, 5]), parts=parts, split=[0, 0, 0, 0, 0, 1])

    class Net(nn.Module):
        def forward(self, image):
            return image.flatten(1)[:, :6]

    return stored_examples(evidence(measure(range(6), [0.0] * 6)), Subject(Net()), task, level=2, seed=0)


def test_pictures_are_stored_small_and_can_be_read_again():
    pil = pytest.importorskip("PIL.Image")
    import io

    images = torch.zeros(6, 3, 64, 64)
    images[:, 0, :, :32] = 1.0  # red on the left
    found = stored_pictures(images)
    assert len(found) == 6
    assert found[0].inputs == {}
    shown = pil.open(io.BytesIO(base64.b64decode(found[0].image)))
    assert shown.size == (32, 32)
    assert (shown.getpixel((0, 0)), shown.getpixel((31, 31))) == ((255, 0, 0), (0, 0, 0))


def test_of_pictures_that_leave_0_to_1_nothing_is_cut_off():
    """Such as those of mean 0 and standard deviation 1, of which everything below the mean would be black."""
    pil = pytest.importorskip("PIL.Image")
    import io

    levels = torch.tensor([-2.0, 0.0, 2.0])
    images = levels.repeat_interleave(2).expand(6, 1, 6, 6).clone()
    found = stored_pictures(images)
    shown = pil.open(io.BytesIO(base64.b64decode(found[0].image)))
    assert [shown.getpixel((x, 3))[0] for x in (0, 2, 4)] == [0, 128, 255]


def test_examples_that_cannot_be_stored_lose_no_evidence(monkeypatch):
    def broken(*args, **kwargs):
        raise IndexError("no such word")

    monkeypatch.setattr(sys.modules[assay.audit.__module__], "stored_examples", broken)
    task = load_task("modular-addition:p=7,coverage=0.7")
    chosen = [assay.load_instrument("systematicity")]
    result = assay.audit(Subject(Adds()), task, effort="quick", instruments=chosen, progress=None)
    assert [item.instrument for item in result.evidence] == ["systematicity"]
    assert [(fault.instrument, fault.reason) for fault in result.failed] == [("stored examples", "IndexError: no such word")]
    assert result.examples == ()


def test_a_png_of_one_pixel_is_whole():
    pil = pytest.importorskip("PIL.Image")
    import io

    import numpy as np

    assert pil.open(io.BytesIO(png(np.array([[[1, 2, 3]]], dtype=np.uint8)))).getpixel((0, 0)) == (1, 2, 3)


def test_commands_and_actions_are_stored_as_words():
    task = load_task("scan:addprim_jump")
    ids = task.combination_id(dict(zip(task.combines, task.combinations("seen")[:50].T, strict=True))).tolist()

    class Net(nn.Module):
        def forward(self, source, prefix):
            return torch.zeros(*prefix.shape, 9)

    found = stored_examples(evidence(measure(ids, [0.0] * 50)), Subject(Net()), task, level=2, seed=0)
    assert found
    for one in found:
        (text,) = one.inputs.values()
        assert set(text.split()) <= {*SOURCE_WORDS}
        assert one.target.startswith("I_")


def test_an_audit_stores_them_and_a_report_keeps_them(tmp_path):
    task = load_task("modular-addition:p=7,coverage=0.7")
    chosen = [assay.load_instrument("systematicity")]
    result = assay.audit(Subject(Adds()), task, effort="quick", instruments=chosen, progress=None)
    assert 0 < len(result.examples) <= 49
    assert result == assay.audit(Subject(Adds()), task, effort="quick", instruments=chosen, progress=None)
    assay.write_report(tmp_path, result)
    assert assay.read_report(tmp_path) == result


def test_a_combination_that_both_splits_hold_is_stored_once():
    class Both(type(load_task("modular-addition:p=7"))):
        def examples(self, split, n, *, generator):
            return super().examples("seen", n, generator=generator)

    task = Both(p=7, coverage=0.7)
    found = stored_examples(evidence(measure(range(49), [0.0] * 49)), Subject(Adds()), task, level=2, seed=0)
    ids = [one.combination for one in found]
    assert len(ids) == len(set(ids)) == len(task.combinations("seen"))
