"""Twelve networks of four kinds, judged from trained pairs alone: what recombination tells apart, and what it must not depend
on. experiments/pilot_table.py judges forty-eight, and the table is in docs/methods/recombination.md."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from pilot import KINDS, SEEDS, Pilot, train
from torch import Generator

from assay.calibration.metrics import auroc, spearman
from assay.instruments.former.companions import cross_combination
from assay.instruments.former.look import Look
from assay.instruments.former.metric import Metric
from assay.instruments.former.search import Inside
from assay.instruments.former.states import Design
from assay.observed import Observed, observe
from assay.subject import Subject
from assay.zoo.twins import rescaled

pytestmark = pytest.mark.slow
HIDDEN = "front.1:out"  # of a composer: the hidden units behind which it holds z


@dataclass(frozen=True)
class Row:
    """What was found about a network and about its rescaled twin: novel recombination of every part, how well z can be read,
    and the novel score of z's subspace at `HIDDEN` in plain distance."""

    pilot: Pilot
    own: dict[str, float]
    twin: dict[str, float]
    readable: float
    plain: tuple[float, float]
    null: float


def looks(inside: Inside) -> dict[str, Look]:
    observed = inside.observed
    sites = list(inside.states)
    return {
        name: Look.at(inside, exchange, Design.of(observed, observed.part(name)), mixed=sites, scrambled=exchange.scrambled)
        for name, exchange in observed.exchanges.items()
        if name != "x" and bool(exchange.novel.any())
    }


def inside(module: torch.nn.Module, observed: Observed, metric: Metric = "balanced") -> Inside:
    subject = Subject(module)
    sites = [site.name for site in subject.sites(observed.examples.inputs)]
    return Inside.of(subject, observed, sites, metric=metric, generator=Generator().manual_seed(0))


def novel(look: Look) -> float:
    means = look.units("novel").means
    return float(means.mean()) if len(means) else 0.0


def subspace(look: Look) -> float:
    at = look.tried.candidates.index((HIDDEN, "subspace"))
    return float(look.tried.scores[at][look.exchange.novel].mean())


def judged(pilot: Pilot) -> Row:
    observed = observe(
        pilot.task, num_examples=400, num_pairs=200, num_scrambles=5, num_folds=6, generator=Generator().manual_seed(0)
    )
    twin = rescaled(pilot.module, Generator().manual_seed(3))
    mine = inside(pilot.module, observed)
    own, other = looks(mine), looks(inside(twin, observed))
    plain = (0.0, 0.0)
    if pilot.kind == "composer":
        both = [looks(inside(module, observed, "euclidean"))["z"] for module in (pilot.module, twin)]
        plain = (subspace(both[0]), subspace(both[1]))
        other["hidden"], own["hidden"] = other["z"], own["z"]
    part = observed.part("z")
    scrambles = enumerate(observed.exchanges["z"].scrambled)
    scrambled = [novel(own["z"].rescored(k, scramble.known)) for k, scramble in scrambles]

    def told(found: dict[str, Look]) -> dict[str, float]:
        return {name: subspace(look) if name == "hidden" else novel(look) for name, look in found.items()}

    readable = max(float(cross_combination(mine, site, part).mean()) for site in mine.states)
    return Row(pilot, told(own), told(other), readable, plain, sum(scrambled) / len(scrambled))


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [judged(pilot) for kind in KINDS for pilot in train(kind, seeds=SEEDS[:1])]


def of(rows: list[Row], *kinds: str) -> list[Row]:
    return [row for row in rows if row.pilot.kind in kinds]


def test_all_have_learned_what_they_were_trained_on(rows):
    assert len(rows) == 12
    assert min(row.pilot.seen for row in rows) >= 0.99


def test_inert_parts_are_readable_and_are_not_called_composing(rows):
    assert min(row.readable for row in of(rows, "inert") if row.pilot.share == 0.9) >= 0.97
    for row in of(rows, "inert"):
        assert row.own["z"] <= 0.5
        for part in {"i", "j"} & row.own.keys():
            # Where parts stand side by side, an exchange gives the network's own answer to the new pair, and no better.
            assert row.own[part] <= row.pilot.novel + 0.15


def test_composers_recombine(rows):
    assert min(row.own["z"] for row in of(rows, "composer")) >= 0.9
    assert max(row.null for row in of(rows, "composer")) <= 0.3


def test_recombination_tells_composers_from_imitators(rows):
    composers = [row.own["z"] for row in rows if row.pilot.kind == "composer" and row.pilot.novel > 0.9]
    imitators = [row.own["z"] for row in rows if row.pilot.novel < 0.5]
    assert len(composers) == 3
    assert len(imitators) >= 5
    labels = np.array([True] * len(composers) + [False] * len(imitators))
    assert auroc(np.array(composers + imitators), labels) == 1.0


def test_recombination_ranks_what_novel_pairs_score(rows):
    truth = [row.pilot.novel for row in rows]
    assert spearman(np.array([row.own["z"] for row in rows]), np.array(truth)) >= 0.85


def test_rescaled_units_change_nothing(rows):
    assert max(abs(row.own[name] - row.twin[name]) for row in rows for name in row.own) < 0.02


def test_a_patch_in_plain_distance_loses_a_third(rows):
    composers = of(rows, "composer")
    before, after = (sum(row.plain[k] for row in composers) / len(composers) for k in (0, 1))
    assert before > 0.7
    assert after <= before * 2 / 3
