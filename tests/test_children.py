"""Processes that Assay starts end with their parent, leave nothing behind, and import nothing that they find by the way."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from torch import Generator

from assay.access import judged_apart
from assay.children import run_python
from assay.conformance.tasks import small_task
from assay.models import configure, rebuild
from assay.subject import Subject
from plain_instrument import Plain
from processes import all_end, lives, remains, wait_until

# Each of two workers starts two more. What they are given is larger than a pipe holds.
WORKERS = """
import os, time
from pathlib import Path
import numpy
from assay.jobs import run_parallel

def wait(item):
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    time.sleep(1000)

def share_out(item):
    Path(os.environ["PIDS"], str(os.getpid())).touch()
    run_parallel(wait, [item, item], jobs=2)

if __name__ == "__main__":
    run_parallel(share_out, [numpy.zeros(1_000_000)] * 2, jobs=2)
"""
APART = """
import os, time
from pathlib import Path
from test_children import network
from assay.conformance.tasks import small_task
from assay.access import judged_apart
from plain_instrument import Plain

class Waits(Plain):
    def read(self, network, data, rng):
        Path(os.environ["PIDS"], str(os.getpid())).touch()
        time.sleep(1000)

judged_apart([Waits()], network(), small_task(), effort="quick", seed=0)
"""
# Modules that children import, and therefore shall not find in a stranger's folder.
WANTED = ("loky", "cloudpickle", "torch", "numpy", "pickle", "multiprocessing", "assay")
SHARES_OUT = """
from assay.jobs import run_parallel
if __name__ == "__main__":
    assert run_parallel(abs, [-1, 2], jobs=2) == [1, 2]
"""


def network() -> Subject:
    return Subject(rebuild(configure("mlp", small_task(), width=8), generator=Generator().manual_seed(0)))


@pytest.fixture
def strange_folder(tmp_path: Path) -> Path:
    """A folder whose modules leave a mark when they are imported."""
    folder = tmp_path / "strange"
    for name in WANTED:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'a').write('{name} ')")
    return folder


@pytest.mark.parametrize(("script", "num_workers"), [(WORKERS, 6), (APART, 1)], ids=["workers", "level 0"])
def test_a_killed_parent_leaves_no_process_and_no_file(script: str, num_workers: int, tmp_path: Path):
    (tmp_path / "script.py").write_text(script)
    (tmp_path / "pids").mkdir()
    (tmp_path / "tmp").mkdir()
    pids, temporary = tmp_path / "pids", tmp_path / "tmp"
    variables = {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        "PIDS": str(pids),
        "TMPDIR": str(temporary),
    }
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")], env={**os.environ, **variables}, stderr=subprocess.PIPE
    )
    try:
        wait_until(lambda: parent.poll() is not None or len(list(pids.iterdir())) >= num_workers)
        workers = [int(path.name) for path in pids.iterdir()]
        assert len(list(filter(lives, workers))) == num_workers
        parent.kill()
        parent.wait()
        all_end(workers)
        wait_until(lambda: not remains(parent.pid, temporary), seconds=10)
    finally:
        parent.kill()
        for path in pids.iterdir():
            with suppress(ProcessLookupError):
                os.kill(int(path.name), signal.SIGKILL)
    assert parent.communicate() == (None, b"")


def test_a_child_whose_parent_was_gone_before_it_looked_ends():
    code = "import sys, time; from assay.children import end_with; end_with(int(sys.argv[1])); time.sleep(1000)"
    run = subprocess.run([sys.executable, "-c", code, str(2**22 + 1)], capture_output=True, check=False, timeout=60)
    assert (run.returncode, run.stderr) == (1, b"")


def test_workers_import_nothing_from_a_strangers_folder(strange_folder: Path, tmp_path: Path):
    (tmp_path / "script.py").write_text(
        f"def size(item):\n    import torch\n    return abs(item)\n{SHARES_OUT}".replace("(abs", "(size")
    )
    run = subprocess.run(
        [sys.executable, str(tmp_path / "script.py")], cwd=strange_folder, capture_output=True, text=True, check=False
    )
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()
    assert run.returncode == 0, run.stderr


def test_nothing_is_imported_from_a_strangers_folder_at_access_level_zero(strange_folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(strange_folder)
    found = judged_apart([Plain()], network(), small_task(), effort="quick", seed=0)
    assert [item.instrument for item in found] == ["plain"]
    assert not (tmp_path / "mark").exists(), (tmp_path / "mark").read_text()


def test_where_the_parent_imports_from_the_current_directory_its_children_do(tmp_path: Path, monkeypatch):
    (tmp_path / "mine_for_children.py").write_text("def double(item):\n    return 2 * item\n")
    (tmp_path / "script.py").write_text(SHARES_OUT.replace("abs, [-1, 2]", "double, [0.5, 1]"))
    monkeypatch.chdir(tmp_path)
    script = f"import mine_for_children; double = mine_for_children.double\n{SHARES_OUT}".replace(
        "abs, [-1, 2]", "double, [0.5, 1]"
    )
    subprocess.run([sys.executable, "-c", script], check=True)  # its path begins with ""
    absolute = [entry for entry in sys.path if Path(entry).is_absolute()]  # a worker of pytest's may have "" too
    monkeypatch.setattr(sys, "path", absolute)
    assert run_python("-c", "import mine_for_children").returncode == 1
    monkeypatch.syspath_prepend("")
    assert run_python("-c", "import mine_for_children").returncode == 0


# Another thread receives what this one has blocked, and Python answers it in this one.
INTERRUPTED_AT_THE_START = """
import os, signal, threading, time
from assay.children import without_terminal_signals

threading.Thread(target=threading.Event().wait, daemon=True).start()
try:
    with without_terminal_signals():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        print("started", flush=True)
    print("went on")
except KeyboardInterrupt:
    print("interrupted", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with without_terminal_signals():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        print("started again", flush=True)
    print("went on")
"""


def test_ctrl_c_waits_until_workers_are_started():
    """One that is half started would show a traceback. The second Ctrl-C ends the process at once, but for this."""
    run = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_THE_START], capture_output=True, text=True, check=False)
    assert (run.stdout.split("\n"), run.stderr) == (["started", "interrupted", "started again", ""], "")
    assert run.returncode == -signal.SIGINT
