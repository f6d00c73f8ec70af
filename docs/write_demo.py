"""Writes what README and docs/demo.md show of the demo: its figures, docs/images/demo.json, and a picture of its page.

python docs/write_demo.py [FOLDER]    # a folder of `assay demo` at seed 0; without one the demo is run, about a minute
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from assay.audit import Audit
from assay.demo import NETWORKS, run_demo
from assay.report import read_report

IMAGES = Path(__file__).with_name("images")
SEED, WIDTH, HEIGHT = 0, 900, 720


def figures(folder: Path) -> dict[str, object]:
    """Scores of the three networks with their intervals, and what they were scored on."""
    audits = {network.name: read_report(folder / network.name) for network in NETWORKS}
    task = next(iter(audits.values())).task
    return {
        "seed": SEED,
        "task": task.address,
        "num_seen": task.num_seen,
        "num_novel": task.num_novel,
        "chance": task.chance,
        "scores": {name: {key: _score(audit, key) for key in ("seen_score", "novel_score")} for name, audit in audits.items()},
    }


def _score(audit: Audit, key: str) -> list[float | None]:
    """The value and the ends of its interval."""
    behaviour = next(item for item in audit.evidence if item.instrument == "systematicity")
    measure = behaviour.measure(key)
    assert measure.interval
    return [measure.value, measure.interval.low, measure.interval.high]


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else made).resolve()
        page = folder / "comparison.html" if len(sys.argv) > 1 else run_demo(folder, seed=SEED)
        (IMAGES / "demo.json").write_text(json.dumps(figures(folder), indent=2) + "\n")
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            sys.exit("demo.json is written; demo.png needs Chromium on the path")
        size = [f"--window-size={WIDTH},{HEIGHT}", "--hide-scrollbars", f"--screenshot={IMAGES / 'demo.png'}"]
        subprocess.run([browser, "--headless=new", "--no-sandbox", *size, page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    main()
