"""Ctrl-C in a real terminal: once, and the command says how to go on; twice, and it ends at once. Nothing shows a traceback."""

import os
import signal
import sys
from pathlib import Path

import pytest

from assay.cli import main
from processes import Terminal, all_end, in_terminal, remains, wait_until

TASK = "modular:p=5,num_first=4,num_second=4"
STUBBORN = """
import time
from assay import __main__
from assay.cli.train import TrainCommand

def run(self, terminal):
    while True:
        try:
            print("at work", flush=True)
            time.sleep(1000)
        except KeyboardInterrupt:
            pass

TrainCommand.run = run
__main__.main()
"""
SLOW_STEPS = f"""
import signal, socket, time
from assay.training import train

def progress(doing, done):
    told, tells = socket.socketpair()
    tells.setblocking(False)
    signal.set_wakeup_fd(tells.fileno())
    print("at work", flush=True)
    told.recv(1)  # "^C" may stand in the terminal before the signal is here, and two that wait become one
    print("at work", flush=True)
    time.sleep(1000)

train({TASK!r}, "mlp", out="run", progress=progress)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert main(["train", TASK, "--width", "64", "--steps", "400", "--out", str(folder), "--quiet"]) == 0
    return folder


def at_work(terminal: Terminal, command: str, folder: Path) -> bool:
    """Whether it is in the middle: a command that has workers has just started them."""
    assert terminal.process.poll() is None, terminal.output
    if command == "train":
        return (folder / "out" / "checkpoint.safetensors").exists()
    return len(terminal.children()) >= (1 if "--level" in command else 4)  # two workers, and two that clean up after them


@pytest.mark.parametrize("presses", [1, 2], ids=["once", "twice"])
@pytest.mark.parametrize(
    "command",
    [
        "train --steps 1000000",
        "audit --level 0 --effort full --instrument recombination",
        "audit --jobs 2 --effort full --instrument systematicity recombination",
        "sweep --jobs 2 --over width=8,16 --set steps=1000000",
    ],
    ids=lambda command: " ".join(command.split()[:3]),
)
def test_ctrl_c(command: str, presses: int, run: Path, tmp_path: Path):
    name, *options = command.split()
    (tmp_path / "tmp").mkdir()
    arguments = ("-m", "assay", name, str(run) if name == "audit" else TASK, *options, "--out", "out")
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    with in_terminal(*arguments, cwd=tmp_path, env=environment) as terminal:
        wait_until(lambda: at_work(terminal, name if name == "train" else command, tmp_path))
        children = terminal.children()
        for _ in range(presses):
            before = terminal.output.count("^C")  # as the terminal shows it
            terminal.press_ctrl_c()
            wait_until(lambda before=before: terminal.output.count("^C") > before or terminal.process.poll() is not None)
        status = terminal.end(children)
        assert status == 130 if presses == 1 else status in (130, -signal.SIGINT)
        assert "Traceback" not in terminal.output
        assert "Error" not in terminal.output
        if presses == 1:
            assert "assay: interrupted. " in terminal.output
            assert "Repeat the " in terminal.output
        wait_until(lambda: not remains(terminal.process.pid, tmp_path / "tmp"), seconds=10)


@pytest.mark.parametrize("script", [STUBBORN, SLOW_STEPS], ids=["command", "step of training"])
def test_the_second_ctrl_c_waits_for_nothing(script: str, tmp_path: Path):
    """Not for a command that has not stopped at the first, and not for a step of training that takes long."""
    with in_terminal("-c", script, "train", TASK, "--out", "out", cwd=tmp_path) as terminal:
        wait_until(lambda: "at work" in terminal.output)
        terminal.press_ctrl_c()
        wait_until(lambda: terminal.output.count("at work") == 2)
        assert terminal.process.poll() is None
        terminal.press_ctrl_c()
        assert terminal.end([]) == -signal.SIGINT
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists(), "perhaps of half an update"


def test_a_terminal_that_is_closed_leaves_nothing(tmp_path: Path):
    (tmp_path / "tmp").mkdir()
    arguments = ("-m", "assay", "sweep", TASK, "--jobs", "2", "--over", "width=8,16", "--set", "steps=1000000", "--out", "out")
    with in_terminal(*arguments, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}) as terminal:
        wait_until(lambda: at_work(terminal, "sweep", tmp_path))
        children = terminal.children()
        assert remains(terminal.process.pid, tmp_path / "tmp") or sys.platform != "linux"
        terminal.hang_up()
        terminal.process.wait(timeout=30)
        all_end(children)
        wait_until(lambda: not remains(terminal.process.pid, tmp_path / "tmp"), seconds=10)


@pytest.mark.parametrize("swallowed", [False, True])
def test_ctrl_c_while_modules_are_loaded(swallowed: bool, tmp_path: Path):
    """Also where one of them swallows whatever is raised."""
    loading = "print('at work', flush=True); import time; time.sleep(3)"
    (tmp_path / "slow.py").write_text(f"try: {loading}\nexcept BaseException: pass" if swallowed else loading)
    script = STUBBORN.replace("def run(self, terminal):", "def run(self, terminal):\n    import slow").replace("pass", "raise")
    with in_terminal("-c", script, "train", TASK, "--out", "out", cwd=tmp_path) as terminal:
        wait_until(lambda: "at work" in terminal.output)
        terminal.press_ctrl_c()
        assert terminal.end([]) == 130
        assert "Traceback" not in terminal.output
        assert "assay: interrupted. Repeat the " in terminal.output


def test_ctrl_c_before_there_is_a_command(tmp_path: Path):
    (tmp_path / "assay_cli.py").write_text("def __getattr__(name): raise KeyboardInterrupt")
    script = "import assay_cli, sys; sys.modules['assay.cli'] = assay_cli; from assay import __main__; __main__.main()"
    with in_terminal("-c", script, cwd=tmp_path) as terminal:
        assert terminal.end([]) == 130
        assert terminal.output == "assay: interrupted.\r\n"


def test_who_ignores_ctrl_c_goes_on_to_ignore_it(tmp_path: Path):
    """As what a shell runs in the background does."""
    script = STUBBORN.replace("while True", "for _ in range(1)").replace("1000", "3")
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{script}"
    with in_terminal("-c", ignoring, "train", TASK, "--out", "out", cwd=tmp_path) as terminal:
        wait_until(lambda: "at work" in terminal.output)
        terminal.press_ctrl_c()
        terminal.press_ctrl_c()
        assert terminal.end([]) == 0
