"""Assay: has a trained network discovered compositional structure, or only a convincing imitation of it?"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assay.audit import Audit as Audit
    from assay.audit import audit as audit
    from assay.conformance import check as check
    from assay.coverage import Coverage as Coverage
    from assay.coverage import coverage as coverage
    from assay.coverage import write_coverage as write_coverage
    from assay.errors import AssayError as AssayError
    from assay.evidence import Evidence as Evidence
    from assay.evidence import Interval as Interval
    from assay.evidence import Measure as Measure
    from assay.evidence import Null as Null
    from assay.instrument import Instrument as Instrument
    from assay.instruments import all_instruments as all_instruments
    from assay.instruments import load_instrument as load_instrument
    from assay.models import load_subject as load_subject
    from assay.objective import Classification as Classification
    from assay.objective import Regression as Regression
    from assay.objective import Sequences as Sequences
    from assay.report import read_report as read_report
    from assay.report import write_comparison as write_comparison
    from assay.report import write_report as write_report
    from assay.store import RunDirectory as RunDirectory
    from assay.subject import Site as Site
    from assay.subject import Subject as Subject
    from assay.sweep import Sweep as Sweep
    from assay.sweep import SweepPlan as SweepPlan
    from assay.sweep import sweep as sweep
    from assay.sweep import write_sweep as write_sweep
    from assay.task import Examples as Examples
    from assay.task import Part as Part
    from assay.task import Task as Task
    from assay.tasks import load_task as load_task
    from assay.tasks.table import Table as Table
    from assay.training import DivergedError as DivergedError
    from assay.training import TrainingConfig as TrainingConfig
    from assay.training import TrainingData as TrainingData
    from assay.training import fit_many as fit_many
    from assay.training import train as train
    from assay.verdict import Verdict as Verdict

_HOMES = {
    "audit": ("Audit", "audit"),
    "conformance": ("check",),
    "coverage": ("Coverage", "coverage", "write_coverage"),
    "errors": ("AssayError",),
    "evidence": ("Evidence", "Interval", "Measure", "Null"),
    "instrument": ("Instrument",),
    "instruments": ("all_instruments", "load_instrument"),
    "models": ("load_subject",),
    "objective": ("Classification", "Regression", "Sequences"),
    "report": ("read_report", "write_comparison", "write_report"),
    "store": ("RunDirectory",),
    "subject": ("Site", "Subject"),
    "sweep": ("Sweep", "SweepPlan", "sweep", "write_sweep"),
    "task": ("Examples", "Part", "Task"),
    "tasks": ("load_task",),
    "tasks.table": ("Table",),
    "training": ("DivergedError", "TrainingConfig", "TrainingData", "fit_many", "train"),
    "verdict": ("Verdict",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    # Torch takes most of a second to import, which `assay --help` must not pay.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # The import system stores a submodule under its name, and `assay.audit` must stay the function.
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
