"""Python on the pages of docs runs as it is printed, smaller where it would take long. The start and the pages on data of
one's own have tests of their own (`cli/test_quickstart.py`, `test_own_data.py`)."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import assay

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SMALL = {  # of each page what is replaced, so that it takes less time
    "README.md": {'"modular-addition"': '"modular-addition:p=7"'},
    "docs/coverage.md": {},
    "docs/reference/training.md": {
        '"modular-addition", out="runs/logged"': '"modular-addition:p=7", out="runs/logged", config={"steps": 5}'
    },
    "docs/populations.md": {"range(32)": "range(2)", "steps=2000": "steps=5"},
    "docs/sweep.md": {
        "(0.3, 0.5, 0.7)": "(0.5,)",
        "seeds=3, refine=6": 'seeds=1, settings={"steps": 5}',
        "addition": "addition:p=7",
    },
    "docs/questions/covered.md": {},
    "docs/questions/inside.md": {"range(1500)": "range(30)"},
    "docs/methods/fracture.md": {"range(1_000)": "range(5)"},
    "docs/methods/langue.md": {"ladder(corpus.train, corpus.test)": "ladder(corpus.train[:1], corpus.test[:1], order=1)"},
    "docs/methods/subgraphs.md": {"300": "3", "2000": "3"},
    "docs/tasks/hyperteacher.md": {},
    "docs/tasks/treebank.md": {"500": "20"},
}
THEIRS = {  # blocks that go on from a network, data or a cluster of the reader's
    "docs/cluster.md": [0],
    "docs/methods/circuits.md": [0, 1],
    "docs/methods/langue.md": [1],
    "docs/methods/polar.md": [0, 1],
    "docs/methods/subnetworks.md": [0],
    "docs/methods/swarm.md": [0],
    "docs/new-instrument.md": [0],
    "docs/populations.md": [1],
}
ELSEWHERE = {"docs/quickstart.md", "docs/table.md", "docs/elsewhere.md"}


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def pages() -> Iterator[str]:
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        if "```python" in path.read_text(encoding="utf-8"):
            yield path.relative_to(ROOT).as_posix()


def test_every_page_with_python_is_among_them():
    assert set(pages()) == {*SMALL, *THEIRS, *ELSEWHERE}


@pytest.mark.parametrize("page", SMALL)
def test_it_runs_as_printed(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if page == "README.md":
        assay.train("modular-addition:p=7", out="runs/addition", config={"steps": 5}, progress=None)
    names: dict = {}
    for k, code in enumerate(blocks(page)):
        if k in THEIRS.get(page, []):
            continue
        for long, short in SMALL[page].items():
            code = code.replace(long, short)
        exec(compile(code, f"{page}, block {k + 1}", "exec"), names)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("page", THEIRS)
def test_what_it_imports_of_ours_is_there(page):
    found = blocks(page)
    for k in THEIRS[page]:
        for node in ast.walk(ast.parse(found[k])):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "assay":
                exec(ast.unparse(node))


@pytest.mark.parametrize("page", SMALL)
def test_what_is_replaced_is_there(page):
    code = "\n".join(blocks(page))
    assert all(long in code for long in SMALL[page])
