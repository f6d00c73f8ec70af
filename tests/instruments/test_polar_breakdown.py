"""Breakdowns are the same counts, dealt out."""

import pytest
import torch
from polar_for_tests import planted
from torch import Generator

from assay.instruments.polar import figures
from assay.instruments.polar.fit import unfitted
from assay.instruments.polar.scores import RATES, score


@pytest.fixture(scope="module")
def scored():
    sample = planted(80, sizes=(3, 12))
    generator = Generator().manual_seed(0)
    return sample, *(score(unfitted(sample, rank, generator=generator), sample)[0] for rank in (4, 8))


def by_relation(sample, found):
    return {name: found.relation == k for k, name in enumerate(sample.relations)}


def test_every_edge_is_in_one_group(scored):
    sample, found, _ = scored
    for groups in (by_relation(sample, found), *(figures.groups(found, kind) for kind in figures.GROUPS)):
        assert torch.stack(list(groups.values())).sum(0).tolist() == [1] * len(found.text)


def test_rows_are_means_over_their_edges_and_small_groups_are_named(scored):
    sample, found, null = scored
    table = figures.rate_table("relation", found, by_relation(sample, found), beside={"random": null})
    assert table.name == "By relation"
    assert table.columns == ("relation", "edges", *RATES, "UUAS, random")
    assert sum(row[1] for row in table.rows) == len(found.text)
    mean = sum(row[1] * row[2] for row in table.rows) / len(found.text)
    assert mean == pytest.approx(found.micro("UUAS"))
    assert sum(row[1] * row[-1] for row in table.rows) / len(found.text) == pytest.approx(null.micro("UUAS"))
    few = {"all but 29": torch.arange(len(found.text)) >= 29, "29": torch.arange(len(found.text)) < 29}
    table = figures.rate_table("x", found, few)
    assert [row[0] for row in table.rows] == ["all but 29"]
    assert table.note == "Not shown, with fewer than 30 edges: 29."


def test_nulls_must_score_the_same_edges(scored):
    _, found, _ = scored
    other = planted(10)
    (null,) = score(unfitted(other, None, generator=Generator()), other)
    with pytest.raises(AssertionError, match="the same edges"):
        figures.rate_table("x", found, {}, beside={"null": null})


def test_texts_too_short_for_dspr_have_none(generator: Generator):
    """DSpr is defined for 5 to 50 nodes; a report holds finite numbers only."""
    sample = planted(20, sizes=(3, 4))
    probes = unfitted(sample, 4, generator=generator)
    table = figures.conventions({"a probe": (probes, "edges")}, sample)
    assert table.columns[-1] == "DSpr"
    assert {row[-1] for row in table.rows} == {None}
    assert all(value == value for row in table.rows for value in row)
