"""Access level 0: what is judged leads to no task, where it is judged no task can be had, and nothing is lost by it."""

import importlib
import io
import os
import pickle
import pickletools
import subprocess
import sys
import threading
import time

import pytest
import torch
from cases import INSTRUMENTS, OWN
from cloudpickle import list_registry_pickle_by_value
from torch import Generator, nn

import assay
from assay.access import FORBIDDEN, judged_apart
from assay.audit import audit
from assay.conformance.tasks import small_task
from assay.errors import AssayError
from assay.evidence import Evidence
from assay.failed import Failed
from assay.instrument import draw
from assay.instruments import load_instrument
from assay.models import ModelConfig, configure, rebuild
from assay.progress import report
from assay.subject import Subject
from assay.task import Task
from assay.training import TrainingConfig, fit_many
from assay.views import TrainedOnly
from plain_instrument import Plain

pytestmark = pytest.mark.slow

SMALL = next(instrument for instrument in INSTRUMENTS if instrument.name == "recombination")


def subject_of(config: ModelConfig) -> Subject:
    """It knows how to draw itself anew, and no task."""
    return Subject(
        rebuild(config, generator=Generator().manual_seed(0)), fresh=lambda generator: rebuild(config, generator=generator)
    )


@pytest.fixture(scope="module")
def learned() -> Subject:
    subject = subject_of(configure("mlp", small_task(), width=32))
    configs = [TrainingConfig(steps=300, batch_size=128, learning_rate=1e-2)]
    fit_many([subject.module], small_task(), configs=configs, strategy="rule")
    return subject


def names_in(content: bytes) -> set[str]:
    """Every module that the pickle would import from."""
    strings, found = [], set()
    for code, argument, _ in pickletools.genops(io.BytesIO(content)):
        if code.name in ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"):
            strings.append(str(argument))
        if code.name == "GLOBAL":
            found.add(str(argument).split()[0])
    return found | {text for text in strings if text.startswith("assay")}


def test_nothing_that_is_drawn_leads_to_a_task():
    """Of an instrument that judges from trained inputs alone, its task's executor included."""
    case = OWN["recombination"]
    drawn = draw(SMALL, case.learned(), TrainedOnly(case.task), effort="quick", seed=0)
    names = names_in(pickle.dumps(drawn))
    assert "assay.objective" in names
    assert not [name for name in names if name.startswith(FORBIDDEN)]
    assert FORBIDDEN in {name.rpartition(".")[0] for name in names_in(pickle.dumps(small_task()))}  # the walk does find tasks
    seen: set[int] = set()

    def walk(value: object) -> None:
        assert not isinstance(value, Task)
        assert not callable(value) or isinstance(value, type)
        if id(value) in seen or isinstance(value, (torch.Tensor, str, int, float, type)) or value is None:
            return
        seen.add(id(value))
        listed = value.values() if isinstance(value, dict) else getattr(value, "__dict__", {}).values()
        held = value if isinstance(value, (tuple, list)) else listed
        for item in held:
            walk(item)

    walk(pickle.loads(pickle.dumps(drawn)))


def test_no_instrument_imports_a_task():
    """One that did could not be unpickled where tasks are forbidden, and would be left out at level 0."""
    code = "import sys; from assay.instruments import all_instruments; all_instruments(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "assay.instruments.langue.instrument" in loaded
    assert not [name for name in loaded if name.startswith(FORBIDDEN)]


def test_the_verdict_is_that_of_the_full_audit_without_what_needs_more():
    case = OWN["recombination"]
    low = audit(case.learned(), case.task, effort="quick", level=0, instruments=INSTRUMENTS)
    full = audit(case.learned(), case.task, effort="quick", instruments=INSTRUMENTS)
    estimate, measured = low.verdict.novel, full.verdict.novel
    assert [item.instrument for item in low.evidence] == ["recombination", "circuits"]
    assert (estimate.answer, estimate.basis, measured.answer, measured.basis) == ("works", "estimated", "works", "measured")
    values = [found.evidence[k].measure("novel_from_state", form="sum").value for found, k in ((low, 0), (full, 1))]
    assert values == [1.0, 1.0]
    assert low.verdict.combining.between == full.verdict.combining.between
    assert {item.instrument for item in low.skipped if "level 0" in item.reason} == {"systematicity", "decodability"}
    lacking = {"subnetworks": "problems that depend on a single part", "polar": "a graph over their words"}
    reasons = {item.instrument: item.reason for item in low.skipped}
    assert all(words in reasons[name] for name, words in lacking.items())
    assert all(measure.level == 0 for item in low.evidence for measure in item.measures)


def test_level_one_leaves_out_what_needs_labels(learned):
    names = [load_instrument(name) for name in ("systematicity", "decodability")]
    found = audit(learned, small_task(), effort="quick", level=1, instruments=names)
    levels = {measure.level for item in found.evidence for measure in item.measures}
    assert levels == {0, 1}
    assert (found.verdict.novel.answer, found.verdict.novel.basis) == ("not resolved", "nothing")


def test_where_it_is_judged_no_task_can_be_had(learned):
    class Reaches(Plain):
        """It tries to make novel inputs after all."""

        def read(self, network, data, rng):
            from assay.tasks.modular import Modular

            return Modular()

    class TakesAlong(Plain):
        """It carries the task with it."""

        def __init__(self):
            super().__init__()
            self.task = small_task()

    (stopped,) = judged_apart([Reaches()], learned, small_task(), effort="quick", seed=0)
    assert stopped.reason.startswith("ImportError: assay.tasks cannot be imported at access level 0")
    with pytest.raises(AssayError, match="loaded without its task"):
        judged_apart([TakesAlong()], learned, small_task(), effort="quick", seed=0)


BRINGS = """
import assay
from assay import Table
from torch import nn

TASK = assay.load_task("modular")

class Small(nn.Module):
    width = 8

    def __init__(self):
        super().__init__()
        self.inner, self.last = nn.Embedding(40, self.width), nn.Linear(3 * self.width, 40)

    def forward(self, tokens):
        return helper(self.last(self.inner(tokens).flatten(1)))

class Asks(Small):
    def forward(self, tokens):
        return super().forward(tokens)[:, : TASK.objective.width()]

def helper(x):
    return x.relu()
"""


def test_a_module_that_imports_tasks_beside_the_network(tmp_path, monkeypatch):
    """Its class is sent by itself, and nothing else of the module; a network that uses a task is refused by name."""
    (tmp_path / "brings.py").write_text(BRINGS)
    (tmp_path / "around.py").write_text("import brings\nclass Around(brings.Small):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    task = small_task()
    network = importlib.import_module("around").Around()  # of a class from one such module, whose base is from another
    (found,) = judged_apart([Plain()], Subject(network), task, effort="quick", seed=0)
    assert isinstance(found, Evidence), found
    assert list_registry_pickle_by_value() == set()
    network = sys.modules["brings"].Asks()
    with pytest.raises(
        AssayError, match=r"loaded without its task\. Given: what is sent holds a task: assay\.tasks.*no method"
    ):
        judged_apart([Plain()], Subject(network), small_task(), effort="quick", seed=0)
    for name in ("brings", "around"):
        sys.modules.pop(name)


def rule(parts, row):
    return (int(parts["a"]) + int(parts["b"])) % 7


def trained_pairs(executor) -> assay.Table:
    a, b = torch.cartesian_prod(torch.arange(7), torch.arange(7)).unbind(1)
    kept = (a * 3 + b) % 7 > 1
    pairs = torch.stack([a, b], 1)[kept]
    return assay.Table(inputs=pairs, targets=pairs.sum(1) % 7, parts={"a": a[kept], "b": b[kept]}, executor=executor)


def test_an_executor_without_a_name_is_as_good_as_one_with():
    layers = nn.Embedding(7, 8), nn.Flatten(), nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 7)
    subject = Subject(nn.Sequential(*layers))
    chosen = [SMALL, load_instrument("systematicity")]
    named, unnamed = (
        audit(subject, trained_pairs(one), effort="quick", level=0, instruments=chosen, progress=None)
        for one in (rule, lambda parts, row: rule(parts, row))
    )
    assert (named.failed, unnamed.failed) == ((), ())
    assert "level 0" in next(one.reason for one in named.skipped if one.instrument == "systematicity")
    assert unnamed.skipped == named.skipped


def test_an_executor_that_cannot_be_sent_is_named():
    lock = threading.Lock()

    def locked(parts, row):
        with lock:
            return rule(parts, row)

    subject = Subject(nn.Sequential(nn.Embedding(7, 8), nn.Flatten(), nn.Linear(16, 7)))
    (failed,) = judged_apart([load_instrument("systematicity")], subject, trained_pairs(locked), effort="quick", seed=0)
    assert isinstance(failed, Failed)
    assert "Given: its executor locked: TypeError: cannot pickle '_thread.lock' object" in failed.reason
    assert "a function at the top of a module" in failed.reason


def test_progress_comes_from_where_it_is_judged(learned):
    class Slow(Plain):
        def read(self, network, data, rng):
            for step in range(3):
                report(f"step {step}", step / 3)
                time.sleep(0.3)
            return super().read(network, data, rng)

    told = []
    judged_apart(
        [Slow("first"), Slow("second")],
        learned,
        small_task(),
        effort="quick",
        seed=0,
        progress=lambda doing, done: told.append((doing, done)),
    )
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    for name in ("first", "second"):
        assert f"{name}: reading the network: step 2" in [doing for doing, _ in told]

    def stop(doing: str, done: float) -> None:
        if "step 1" in doing:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged_apart([Slow(str(k)) for k in range(1_000)], learned, small_task(), effort="quick", seed=0, progress=stop)


def test_what_is_printed_where_it_is_judged_does_not_mix_with_the_result(learned):
    class Prints(Plain):
        def read(self, network, data, rng):
            print("printed")
            os.write(1, b"written")
            return super().read(network, data, rng)

    assert judged_apart([Prints()], learned, small_task(), effort="quick", seed=0) == judged_apart(
        [Plain()], learned, small_task(), effort="quick", seed=0
    )


def test_a_process_that_ends_without_a_result_is_told(learned):
    class Leaves(Plain):
        def read(self, network, data, rng):
            os._exit(0)

    with pytest.raises(AssayError, match=r"the process without the task must finish\. Given: exit status 0"):
        judged_apart([Leaves()], learned, small_task(), effort="quick", seed=0)


def test_a_subject_that_brings_its_task_or_cannot_be_sent_is_refused():
    task = small_task()
    module = subject_of(configure("mlp", task, width=8)).module
    holding = Subject(module, fresh=lambda generator: rebuild(configure("mlp", task, width=8), generator=generator))
    with pytest.raises(AssayError, match="loaded without its task"):
        audit(holding, task, effort="quick", level=0, instruments=[Plain()])

    class Streams(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.numbers = module, iter(x for x in range(3))

        def forward(self, tokens):
            return self.inner(tokens)

    with pytest.raises(AssayError, match="possible to pickle it"):
        audit(Subject(Streams()), task, effort="quick", level=0, instruments=[Plain()])
