"""The figures of README, docs/demo.md and docs/figures.md are those of the page that they show."""

import json
import re
from pathlib import Path

import pytest

from assay import demo

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/demo.md", "docs/figures.md")
README, PAGE, FIGURES = (" ".join((ROOT / name).read_text().split()) for name in PAGES)
DEMO = json.loads((ROOT / "docs" / "images" / "demo.json").read_text())  # written with the picture, by docs/write_demo.py
COMPOSES, MEMORISES, UNTRAINED = (network.name for network in demo.NETWORKS)


def score(network: str, key: str) -> float:
    return DEMO["scores"][network][key][0]


def told(value: float) -> str:
    """As README writes rates: 1.00, .003."""
    return f"{value:.2f}" if value >= 0.995 else f"{value:.3f}".removeprefix("0")


def test_readme_tells_what_the_picture_shows():
    best, worst = told(score(COMPOSES, "novel_score")), told(score(MEMORISES, "novel_score"))
    chance, pairs = told(DEMO["chance"]), DEMO["num_novel"]
    assert f"on novel ones, one scores {best} and the other {worst}]" in README
    assert f"On {pairs} pairs that they never saw" in README
    assert f"({best}) and the other almost never ({worst}; guessing gives {chance})" in README
    assert [told(score(name, "seen_score")) for name in (COMPOSES, MEMORISES)] == ["1.00", "1.00"], "both are perfect on what"


@pytest.mark.parametrize("text", [PAGE, demo._INTRO], ids=["docs/demo.md", "the page's introduction"])
def test_the_demo_is_described_as_it_is(text):
    total = DEMO["num_seen"] + DEMO["num_novel"]
    assert f"{DEMO['num_seen']} of the {total} pairs" in text
    assert set(re.findall(r"\b(\d{3}) (?:novel )?pairs", text)) <= {str(DEMO["num_seen"]), str(DEMO["num_novel"]), str(total)}
    assert DEMO["task"].startswith(f"{demo.TASK.partition(':')[0]}:")


def test_what_bench_measured_agrees_with_the_picture_and_between_the_pages():
    rows = dict(re.findall(r"\| (the demo, weight decay [01]) \| 1\.000 \| ([\d. ]+?) \|", PAGE))
    seeds = {name: row.split() for name, row in rows.items()}
    assert told(DEMO["chance"]) in PAGE
    for name, network in zip(seeds, (COMPOSES, MEMORISES), strict=True):
        assert seeds[name][0] == f"{score(network, 'novel_score'):.3f}".replace("0.", ".")
    first, second = (", ".join(row) for row in seeds.values())
    assert f"| `python bench/demo.py` | {first} and {second} |" in FIGURES


def test_readme_says_what_is_downloaded():
    assert "`ASSAY_DATA`" in README
