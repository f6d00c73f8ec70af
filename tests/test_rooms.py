"""The way of the network and of the task through the rooms of the package, in one quick audit.

A room is a folder or a file that lies in src/assay. The way of an object is the list of rooms of the functions that receive it
as an argument, in the order of their calls; a call of one function by another counts once, however often it is repeated, and
neighbours in one room are one stay. A room is entered again when the way comes back to it after a stay in another. Left out are
methods of the object itself (it is used there, not handed on), returns to a caller, and untrained copies, which are other
networks. The report gets neither: it is written from the audit.
"""

import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from types import CodeType, FrameType

import pytest
from torch import Generator

import assay
from assay.cards import SubjectCard, TaskCard
from assay.instrument import missing_abilities
from assay.instruments import load_instrument
from assay.models import build
from assay.report import write_report
from assay.subject import Subject
from assay.task import Task
from assay.tasks import load_task
from assay.training import TrainingConfig, fit_many

pytestmark = pytest.mark.slow
PACKAGE = Path(assay.__file__).parent
MOST = 3


def ways(work: Callable[[], object], follows: Mapping[str, Callable[[object], bool]]) -> dict[str, list[str]]:
    """The rooms on the way of each object, one for each stay; `follows` tells whether an argument is that object."""
    stays: dict[str, list[str]] = {name: [] for name in follows}
    known: set[tuple[str, str, str]] = set()

    def called(frame: FrameType, event: str, _: object) -> None:
        if event != "call" or not (names := arguments_of(frame.f_code)):
            return
        given = [frame.f_locals.get(name) for name in names]
        for what, is_it in follows.items():
            if any(map(is_it, given)):
                caller = frame.f_back
                while caller is not None and not room_of(caller.f_code):
                    caller = caller.f_back
                call = what, caller.f_code.co_qualname if caller else "", frame.f_code.co_qualname
                room = room_of(frame.f_code)
                if call not in known and stays[what][-1:] != [room]:
                    stays[what].append(room)
                known.add(call)

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return stays


@cache
def arguments_of(code: CodeType) -> tuple[str, ...]:
    """Names of the arguments of a function of the package, but for `self`; none of other functions."""
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if room_of(code) else ()
    return tuple(name for name in names if name != "self")


@cache
def room_of(code: CodeType) -> str:
    """The room of a function; empty outside the package, and for the decorator that checks arguments."""
    path = code.co_filename
    room = Path(path).relative_to(PACKAGE).parts[0] if path.startswith(str(PACKAGE)) else ""
    return room if room != "arguments.py" else ""


def entered_again(stays: list[str]) -> set[str]:
    return {room for place, room in enumerate(stays) if room in stays[:place]}


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("modular:p=7,coverage=0.4")


@pytest.fixture(scope="module")
def subject(task: Task) -> Subject:
    fresh = partial(_network, task)
    module = fresh(Generator().manual_seed(0))
    fit_many([module], task, configs=[TrainingConfig(steps=600, batch_size=128, learning_rate=1e-2, seed=0)])
    return Subject(module, name="small", fresh=fresh)


def _network(task: Task, generator: Generator):
    return build("mlp", task, generator=generator, width=64)


def test_a_room_is_entered_again_when_the_way_comes_back_to_it(subject: Subject, task: Task):
    def handed_on() -> None:
        TaskCard.of(task)
        missing_abilities(load_instrument("systematicity"), task)
        for _ in range(2):
            SubjectCard.of(subject, "")
        TaskCard.of(task)

    stays = ways(handed_on, {"either": lambda value: isinstance(value, Subject | Task)})["either"]
    assert stays == ["cards.py", "instrument", "cards.py"]
    assert entered_again(stays) == {"cards.py"}
    assert entered_again(stays[:2]) == set()


@pytest.mark.parametrize("name", ["systematicity", "recombination"])
def test_few_rooms_are_entered_again_on_the_way_of_an_audit(name: str, subject: Subject, task: Task, tmp_path: Path):
    def audited() -> None:
        audit = assay.audit(subject, task, effort="quick", instruments=[load_instrument(name)], progress=None)
        assert not audit.failed
        write_report(tmp_path, audit)

    def is_the_network(value: object) -> bool:
        return isinstance(value, Subject) and value.module is subject.module

    found = ways(audited, {"subject": is_the_network, "task": lambda value: isinstance(value, Task)})
    for stays in found.values():
        assert {"audit.py", "instrument", "instruments", "cards.py"} <= set(stays), stays
        assert len(entered_again(stays)) <= MOST, stays
