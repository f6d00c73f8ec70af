"""Output of a study: one page, one JSON file and the weights of the selected candidate."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from assay.evidence import Evidence
from assay.report.figures import panels
from assay.report.page import render, section_of, sources_of
from assay.report.pictures import pictures
from assay.store import write_bytes_atomically, write_json, write_tensors
from assay.swarm.export import write_exports
from assay.swarm.judge import Judged, Word
from assay.swarm.problem import Problem
from assay.swarm.study import Study
from assay.versions import versions_of

PAGE, RESULTS, CANDIDATE = "swarm.html", "swarm.json", "candidate.safetensors"


class SwarmResults(BaseModel):
    """Content of `swarm.json`: the verdict, the coefficients of the selected candidate, and all evidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    problem: str
    versions: dict[str, str]
    verdict: Word
    reason: str
    necessary: tuple[str, ...]
    coefficients: dict[str, float]
    connected: str
    evidence: Evidence


def write_swarm(folder: Path, problem: Problem, study: Study, found: Judged, *, name: str, connected: str = "") -> Path:
    """Write `swarm.json`, `swarm.html` and `candidate.safetensors`, all weights of the candidate that is best on validation,
    with the exports of `write_exports`.

    **Arguments:** `name`: of the problem, for the page. `connected`: a warning about loss barriers.

    **Returns:** the path of the page.
    """
    best = max(study.traces["own", study.plan.engines[0]], key=lambda trace: trace.value).best
    write_tensors(folder / CANDIDATE, problem.pool.weights(best))
    exports = write_exports(folder, problem, best)
    versions = versions_of("assay", "torch", "numpy")
    results = SwarmResults(
        problem=name,
        versions=versions,
        verdict=found.word,
        reason=found.reason,
        necessary=found.necessary,
        coefficients=dict(zip(study.names, best.tolist(), strict=True)),
        connected=connected,
        evidence=found.evidence,
    )
    write_json(folder / RESULTS, results)
    html = render(
        "swarm.html.j2",
        results=results,
        plan=study.plan,
        experts=study.names,
        pool=problem.pool,
        exports=exports,
        item=section_of(found.evidence, panels(found.evidence), 1, pictures=pictures(found.evidence), levels=False),
        sources=sources_of([found.evidence]),
        version=versions.get("assay", ""),
    )
    write_bytes_atomically(folder / PAGE, html.encode())
    return folder / PAGE
