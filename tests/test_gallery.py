"""The examples of docs/gallery.md: short, each runs at small size and returns a figure, and the page shows all of them."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from assay.instruments.polar.instrument import PolarBudget
from assay.report.canvas import Svg
from assay.swarm.study import StudyPlan
from assay.swarm.worlds import WorldSize

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SMALL = {
    "tensors": {"modulus": 7, "steps": 20},
    "images": {"steps": 10},
    "scan": {"splits": ("addprim_jump",)},
    "encoder": {
        "steps": 2,
        "budget": PolarBudget(train=12, dev=8, test=10, epochs=1, seeds=1, copies=2, repeats=1, removals=2),
    },
    "swarm": {
        "size": WorldSize(modulus=5, old=3, experts=3, hidden=16, base_steps=5, expert_steps=5, validation=20),
        "plan": StudyPlan(engines=("random",), budget=12, seeds=3, nulls=5, beyond=0),
    },
    "sparse": {"task": "modular-addition:p=7,coverage=0.8", "steps": 200},
}


def gallery():
    spec = importlib.util.spec_from_file_location("write_gallery", ROOT / "docs" / "write_gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SMALL)
def test_an_example_runs_small_and_returns_its_figure(name, monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.chdir(tmp_path)
    figure = importlib.import_module(name).main(**SMALL[name])
    assert isinstance(figure, Svg)
    assert re.search("<(circle|path|rect)[^>]*><title>", figure), "something measured is drawn"
    assert figure.pdf().startswith(b"%PDF")
    assert capsys.readouterr().out.strip()
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind by default"


@pytest.mark.parametrize("name", SMALL)
def test_an_example_of_the_gallery_has_at_most_60_lines(name):
    assert len((ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_page_shows_every_picture_and_each_is_there():
    module = gallery()
    assert set(module.EXAMPLES) == set(SMALL)
    shown = re.findall(r"\(images/(gallery-\w+\.svg)\)", (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"))
    assert shown == [module.picture(name).name for name in module.EXAMPLES]
    assert all(module.picture(name).stat().st_size > 1_000 for name in module.EXAMPLES)
