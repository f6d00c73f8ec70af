"""A value of the wrong kind in any argument of a public function is an `AssayError`, and none is raised deep inside."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pytest
import torch
from torch import nn

import assay
from assay.arguments import checked
from assay.errors import AssayError
from assay.instrument import run
from plain_instrument import Plain

pytestmark = pytest.mark.slow  # type checks at run time would be met first

PAIRS = torch.cartesian_prod(torch.arange(6), torch.arange(6))
NOVEL = PAIRS.sum(1) % 4 == 1
PARTS = {"first": PAIRS[:, 0], "second": PAIRS[:, 1]}
TABLE = {"inputs": PAIRS, "targets": PAIRS.sum(1), "parts": PARTS, "split": NOVEL}
NETWORK = nn.Sequential(nn.Embedding(6, 4), nn.Flatten(), nn.Linear(8, 11))
WRONG = (None, "none", 3, -1, 1.5, [], {}, [3], ["x"], {"x": 3}, {3: "x"}, object(), b"x", True, torch.zeros(3), float("nan"))
SMALL = "modular:p=5,num_first=5,num_second=5"


class Never:
    """In the place of what is too slow to be made."""


@pytest.fixture(scope="module")
def given(tmp_path_factory) -> Mapping[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Every function with arguments that fit."""
    folder = tmp_path_factory.mktemp("arguments")
    task, subject = assay.Table(**TABLE), assay.Subject(NETWORK)
    audited = {"subject": subject, "task": task, "effort": "quick", "instruments": [Plain()], "progress": None}
    result = assay.audit(**audited)
    config = assay.TrainingConfig(steps=1, batch_size=2)
    plan = {"task": SMALL, "over": {"width": ("4",)}, "seeds": 1, "settings": {"steps": "1"}, "effort": "quick"}
    return {
        "audit": (assay.audit, {**audited, "seed": 0, "level": 2, "address": "", "jobs": 1}),
        "run": (run, {"instrument": Plain(), "subject": subject, "task": task, "effort": "quick", "seed": 0, "jobs": 1,
                      "references": None, "progress": lambda doing, done: None}),
        "train": (assay.train, {"task_address": SMALL, "model_name": "mlp", "out": folder / "run", "options": {"width": 4},
                                "config": {"steps": -1}, "trust": (), "progress": None}),
        "load_task": (assay.load_task, {"address": "modular", "trust": (), "found_in": None}),
        "load_subject": (assay.load_subject, {"address": "nowhere", "task": None, "output": None}),
        "load_instrument": (assay.load_instrument, {"name": "polar"}),
        "Table": (assay.Table, {**TABLE, "objective": None, "executor": None}),
        "Subject": (assay.Subject, {"module": NETWORK, "name": "x", "fresh": None, "batch_size": 4, "output": None,
                                    "running": ()}),
        "SweepPlan": (assay.SweepPlan, {**plan, "instruments": (), "success": 0.8, "refine": 0}),
        "sweep": (assay.sweep, {"plan": Never(), "out": folder / "sweep", "engine": None, "progress": None}),
        "write_comparison": (assay.write_comparison, {"directory": folder / "a", "audits": [result], "title": "", "intro": ""}),
        "write_report": (assay.write_report, {"directory": folder / "b", "audit": result}),
        "read_report": (assay.read_report, {"path": folder / "c"}),
        "coverage": (assay.coverage, {"train": [{"a": 0, "b": 0, "y": 1}], "test": [{"a": 1, "b": 1, "y": 2}], "parts": None,
                                      "answer": None}),
        "RunDirectory.open": (assay.RunDirectory.open, {"path": folder / "d"}),
        "fit_many": (assay.fit_many, {"models": [nn.Sequential(nn.Linear(2, 2))], "data": Never(), "configs": config,
                                      "strategy": "rule", "jobs": 1, "checkpoint": None}),
        "TrainingConfig": (assay.TrainingConfig, {"steps": 1, "batch_size": 2, "learning_rate": 0.1}),
        "Classification": (assay.Classification, {"num_classes": 3, "names": ()}),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["audit", "run", "train", "load_task", "load_subject", "load_instrument", "Table", "Subject", "SweepPlan", "sweep",
     "write_comparison", "write_report", "read_report", "coverage", "RunDirectory.open", "fit_many", "TrainingConfig",
     "Classification"],
)  # fmt: skip
def test_no_value_of_another_kind_is_met_deep_inside(given, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    function, arguments = given[name]
    for argument in arguments:
        for wrong in WRONG:
            try:
                function(**{**arguments, argument: wrong})
            except AssayError:
                continue
            except Exception as error:
                raise AssertionError(f"{name}({argument}={wrong!r}) raises {type(error).__name__}: {error}") from error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"progress": "none"}, r"progress of audit must be a function of 2 arguments or bar or None. Given: none. Next: None"),
        ({"progress": lambda: None}, r"progress of audit must be a function of 2 arguments"),
        (
            {"instruments": "polar"},
            r"instruments of audit must be a list, each an assay.Instrument or None. Given: polar",
        ),
        ({"instruments": ["polar"]}, r"assay.load_instrument\(\"NAME\"\) makes one"),
        ({"effort": "quik"}, r"effort of audit must be one of its choices. Given: quik. Choices: .* Did you mean quick"),
        ({"level": 5}, r"level of audit must be one of its choices. Given: 5. Choices: 0, 1, 2"),
        ({"jobs": "two"}, r"jobs of audit must be a whole number. Given: two"),
        ({"subject": NETWORK}, r"subject of audit must be an assay.Subject. Given: a Sequential. Next: wrap the network"),
        ({"task": "modular"}, r"task of audit must be an assay.Task. Given: modular. Next: assay.load_task"),
    ],
)
def test_what_is_said_of_an_audit(given, arguments, message):
    with pytest.raises(AssayError, match=message):
        assay.audit(**{**given["audit"][1], **arguments})


def test_trust_is_a_list_and_no_text_in_which_an_address_would_be_found():
    with pytest.raises(AssayError, match="trust of load_task must be a list, each text"):
        assay.load_task("modular", trust="rule:total")


def test_a_checked_function_is_itself_otherwise():
    @checked
    def function(
        first: int,
        *more: int,
        mode: Literal["a", "b"] = "a",
        names: Mapping[str, Sequence[float]] | None = None,
        told: Callable[[str, float], None] | None = None,
        free: Any = None,
        **others: str,
    ) -> list[Any]:
        """Said."""
        return [first, *more, mode]

    assert function.__doc__ == "Said."
    assert list(inspect.signature(function).parameters)[:2] == ["first", "more"]
    names = {"x": [1, 2.5], "y": torch.zeros(2).tolist()}
    assert function(3, mode="b", names=names, told=print, free=object(), other="x") == [3, "b"]
    with pytest.raises(AssayError, match=r"names of .*function must be a dictionary from text to a list, each a number"):
        function(3, names={"x": "1"})
    with pytest.raises(TypeError, match="missing"):
        function()
