"""Examples in the docstrings of public names: each runs, beside a trained network `runs/addition` and its `report`."""

import doctest
import inspect

import pytest
import torch

import assay

UNRUN = {"check": "it trains and audits dozens of networks, as tests/conformance do"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("docstrings")
    run = assay.train("modular-addition:p=7", out=made / "runs" / "addition", config={"steps": 300}, progress=None)
    subject, task = assay.load_subject(str(run.path)), assay.load_task("modular-addition:p=7")
    only = [assay.load_instrument("systematicity")]
    assay.write_report(made / "report", assay.audit(subject, task, effort="quick", instruments=only, progress=None))
    return made


@pytest.mark.parametrize("name", [name for name in assay.__all__ if name not in UNRUN])
def test_it_runs_and_gives_what_it_says(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = doctest.DocTestParser().get_doctest(
        inspect.getdoc(getattr(assay, name)) or "", {"assay": assay, "torch": torch}, name, None, 0
    )
    assert found.examples, f"assay.{name} needs an example in its docstring"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(found, out=told.append)
    assert not told, "".join(told)
