"""Pretraining without problems, in pairs that problems never test, and paired differences of rows with planted values."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import pretraining
import pytest
import torch
from making import initial, loaded
from pretraining import KINDS, Necessity, Row, SharedCopies, flipped_p, language_of, page, paired, recipe_of, row_of, trained
from torch import Generator

from assay.instrument import Random, Reading
from assay.instruments.subnetworks import Subnetworks
from assay.models import build
from assay.store import write_json
from assay.subject import Subject
from assay.tasks.language_words import ADJECTIVES, ID, NOUNS, WHICH


@pytest.fixture(scope="module")
def task():
    return loaded(recipe_of(0, "scratch").task)


def pairs_of(tokens):
    """Adjectives that stand before a noun, with the noun."""
    found = set()
    for a, b in itertools.pairwise(tokens.unbind(1)):
        beside = (a >= ID[ADJECTIVES[0]]) & (a <= ID[ADJECTIVES[-1]]) & (b >= ID[NOUNS[0]]) & (b <= ID[NOUNS[-1]])
        found |= set(zip(a[beside].tolist(), b[beside].tolist(), strict=True))
    return found


def test_pretraining_holds_no_problem_and_no_pair_that_is_tested(task):
    found = language_of(task, 2_000, Generator().manual_seed(0))
    tokens = {name: rows.inputs["tokens"] for name, rows in found.items()}
    assert [len(rows) for rows in tokens.values()] == [955, 818, 227]
    assert not any((rows == ID[WHICH]).any() for rows in tokens.values())
    read = set().union(*map(pairs_of, tokens.values()))
    for pool in ("mask", "test"):
        posed = task.problems(300, pool=pool, generator=Generator().manual_seed(0)).inputs["tokens"]
        assert len(pairs_of(posed)) > 20
        assert not read & pairs_of(posed)
    assert len(read & pairs_of(task.problems(300, pool="base", generator=Generator().manual_seed(0)).inputs["tokens"])) > 20


def test_both_kinds_start_from_the_same_weights_and_are_kept(task, tmp_path, monkeypatch):
    monkeypatch.setattr(pretraining, "STEPS", {"language": 0, "problems": 0})
    start = initial(recipe_of(0, "scratch"), task).state_dict()
    for kind in KINDS:
        made, again = (trained(0, kind, tmp_path).state_dict() for _ in range(2))
        assert all(torch.equal(start[name], made[name]) for name in start)
        assert all(torch.equal(again[name], made[name]) for name in start)


def row(seed, kind, adjective, noun):
    part = lambda value: Necessity(value=value, low=-1, high=1, nulls={"copies": 0.1}, ps={"copies": 0.5})  # noqa: E731
    scores = {"both, test": 1.0, "adjective": 1.0, "noun": 1.0}
    return Row(seed=seed, kind=kind, scores=scores, necessity={"adjective": part(adjective), "noun": part(noun)})


def planted():
    """Of five seeds pretraining adds .3 and 0.01 times the seed to one part, nothing to the other; a sixth was refused, and a
    mask isolates no part of one network."""
    rows = [row(k, kind, 0.1 * k + (kind == "pretrained") * (0.3 + 0.01 * k), 0.2) for k in range(5) for kind in KINDS]
    refused = Row(seed=5, kind="scratch", scores=rows[0].scores, refused="it does not solve its problems")
    return [*rows, row(5, "pretrained", 0.9, 0.9), refused]


def test_differences_are_paired_and_a_refused_network_leaves_its_seed_out():
    rows = planted()
    both = paired(rows, "adjective")
    assert both["scratch"] == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert [a - b for a, b in zip(*both.values(), strict=True)] == pytest.approx([0.3, 0.31, 0.32, 0.33, 0.34])
    lines = [line for line in page(rows).splitlines() if line.startswith(("| adjective", "| noun"))]
    assert "| +0.32 [+0.30, +0.34], p 0.062, n 5 | 1 |" in lines[0]
    assert "| +0.00 [" in lines[1]
    rows[0].necessity["adjective"].value = None
    assert paired(rows, "adjective")["pretrained"][0] == 0


def test_p_is_exact():
    assert flipped_p([0.1, 0.2, 0.3, 0.4, 0.5]) == 2 / 32
    assert flipped_p([0.1, -0.1]) == 1
    assert flipped_p([0.3, -0.1]) == 1


def test_a_row_that_is_there_is_read(tmp_path):
    write_json(tmp_path / "scratch-seed0.json", known := row(0, "scratch", 0.5, 0.25))
    assert row_of(0, "scratch", out=tmp_path / "nowhere", rows=tmp_path) == known
    assert not (tmp_path / "nowhere").exists()


def test_copies_are_searched_once_and_change_no_number(task):
    """The networks are hand-made of nothing: what is compared is the search of a copy, with and without the shared results."""
    budget = replace(Subnetworks().budgets["quick"], training=64, judging=32, penalties=(1.0,), steps=(3, 3), nonsense=1)
    fresh = lambda generator: build("transformer", task, generator=generator, width=8, depth=1)  # noqa: E731
    subject = Subject(fresh(Generator().manual_seed(0)), fresh=fresh)
    rng, shared = Random(0, "subnetworks"), SharedCopies()
    data = shared.data(subject, task, budget, rng.within("data"))
    kept = SimpleNamespace(parts=[SimpleNamespace(part=part, chosen=[1]) for part in task.combines])
    own, key = Reading([], kept), rng.within("copy", 0)
    copy = subject.untrained(key("draw"))
    first, again, plain = (one.read_copy(copy, data, own, key) for one in (shared, shared, Subnetworks()))
    assert [one.value for one in first.values] == [one.value for one in plain.values]
    assert all(again.kept[part] is first.kept[part] for part in task.combines)
    other = shared.read_copy(copy, data, own, rng.within("copy", 1))
    assert all(other.kept[part] is not first.kept[part] for part in task.combines)
