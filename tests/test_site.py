"""Which sites are looked at when not all can be."""

import pytest

from assay.site import Site, thinned

NAMES = (
    "embedding.token:out", "embedding:out", "blocks.0.attention.query:out", "blocks.0.attention.output:out",
    "blocks.0.mlp.up:out", "blocks.0:out", "blocks.1.attention.query:out", "blocks.1.mlp.up:out", "blocks.1:out", "norm:out",
    "head:out",
)  # fmt: skip
SITES = [Site(name, (1,)) for name in NAMES]


@pytest.mark.parametrize("limit", range(2, 13))
def test_as_many_as_allowed_in_order_with_both_ends(limit):
    found = thinned(SITES, limit)
    assert len(found) == min(limit, len(SITES))
    assert [site for site in SITES if site in found] == list(found)
    assert found[0] is SITES[0]
    assert found[-1] is SITES[-1]


def test_between_stages_before_inside_them():
    assert [site.name for site in thinned(SITES, 6)] == [
        "embedding.token:out", "embedding:out", "blocks.0:out", "blocks.1:out", "norm:out", "head:out"
    ]  # fmt: skip
    inner = set(thinned(SITES, 7)) - set(thinned(SITES, 6))
    assert [site.name.count(".") for site in inner] == [3]


def test_one_level_is_spread_evenly():
    flat = [Site(f"layer{k}:out", (1,)) for k in range(11)]
    assert [site.name for site in thinned(flat, 3)] == ["layer0:out", "layer5:out", "layer10:out"]
    assert thinned(flat, 11) == flat
    assert thinned([], 2) == []
    assert thinned(flat[:1], 2) == flat[:1]
