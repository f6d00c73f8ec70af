"""Shipped error rates of the verdict on networks whose true answer is known, as written by `zoo.score`."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from assay.errors import AssayError
from assay.store import read_json

SHIPS = "fixed"  # the rule of the shipped verdict
SHIPPED = Path(str(files("assay.verdict"))) / "error_rates.json"


class _RatesTable(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_RatesTable):
    """One figure with its 95 % interval, None without networks; `subjects`: number of networks."""

    value: float | None
    low: float | None
    high: float | None
    subjects: int = Field(ge=0)

    @property
    def number(self) -> str:
        """The value as text, `-` without one."""
        return _number(self.value)

    @property
    def span(self) -> str:
        """The interval as text; empty without one."""
        return f"[{_number(self.low)}, {_number(self.high)}]" if self.low is not None else ""


class Calls(_RatesTable):
    """Answers for the networks of one kind, with counts.

    **Attributes:** `rule`: of the verdict; `level`: access level; `kind`: kind of network by construction and behaviour;
    `wrong`: share of wrong answers, where defined.
    """

    rule: str
    level: int
    kind: str
    answers: dict[str, int]
    wrong: Figure | None


class ErrorRates(_RatesTable):
    """Table of error rates.

    **Attributes:**

    - `subjects`: number of networks scored; `declared`: in the zoo; `sealed`: of those scored, in the sealed family.
    - `figures`: by key; `bounds`: required value and goal of each, as text.
    - `beside`: figures of baselines and further rules; `calls`: answers by rule, level and kind.
    - `notes`: remarks on the numbers.
    """

    schema_version: int = 1
    subjects: int = Field(ge=0)
    declared: int = Field(ge=0)
    sealed: int = Field(ge=0)
    figures: dict[str, Figure]
    bounds: dict[str, tuple[str, str]]
    beside: dict[str, Figure]
    calls: tuple[Calls, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Every figure by key, `subjects`, and the rest by name."""
        content: dict[str, Any] = {"subjects": self.subjects, "declared": self.declared, "sealed": self.sealed}
        content |= {key: figure.model_dump() for key, figure in self.figures.items()}
        content["beside"] = {key: figure.model_dump() for key, figure in self.beside.items()}
        content["calls"] = [one.model_dump() for one in self.calls]
        content["notes"] = list(self.notes)
        return json.dumps(content, indent=2)

    def as_text(self) -> str:
        """The figures, and the answers of the shipped rule; baselines are in `as_json` only."""
        lines = [f"{self.subjects} of {self.declared} networks of the zoo, {self.sealed} of them of the sealed family", ""]
        lines.append(f"{'figure':46} {'value':>7} {'95 %':>16} {'networks':>9}  must, aim")
        for key, figure in self.figures.items():
            must, aim = self.bounds.get(key, ("", ""))
            lines.append(f"{_line(key, figure)}  {must}{', ' if aim else ''}{aim}")
        lines += ["", f"{'networks':44} {'level':>5} answers"]
        for one in (one for one in self.calls if one.rule == SHIPS):
            answers = ", ".join(f"{number} {answer}" for answer, number in one.answers.items() if number)
            wrong = f"; wrong {one.wrong.number} {one.wrong.span}" if one.wrong else ""
            lines.append(f"{one.kind:44} {one.level:5} {answers}{wrong}")
        more = "Baselines and the other rule: --json. How the networks are made, and what level 0 cannot know: docs/zoo.md"
        lines += ["", *self.notes, *([""] if self.notes else []), more]
        return "\n".join(lines)


def _line(key: str, figure: Figure) -> str:
    return f"{key:46} {figure.number:>7} {figure.span:>16} {figure.subjects:9}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.0e}"


def shipped_rates(path: Path | None = None) -> ErrorRates:
    """The shipped table. **Raises:** `AssayError` when it is missing or damaged.

    Example::

        from assay.verdict.rates import shipped_rates

        print(shipped_rates().figures["level0_auroc"].value)
    """
    path = SHIPPED if path is None else path
    if not path.exists():
        raise AssayError("the file of error rates must exist", given=f"{path} is missing", next_step="install Assay again")
    return read_json(path, ErrorRates)
