"""Addresses: every form, the round trip, and each mistake in one message."""

import importlib
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.task import Task
from assay.tasks import load_task, task_families
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.modular import Modular
from small_tokenizer import write_tokenizer

TABLE = """
data = "rows.jsonl"
inputs = [{kind = "token", columns = ["a", "b"]}]
target = {column = "y", kind = "class"}
parts = [{name = "a"}, {name = "b"}]
split = {novel = [[1, 1]]}
"""


def write_table(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [f'{{"a": {a}, "b": {b}, "y": {a ^ b}}}' for a in (0, 1) for b in (0, 1)]
    (folder / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    (folder / "table.toml").write_text(TABLE, encoding="utf-8")
    return folder / "table.toml"


@pytest.mark.parametrize(
    "address",
    [
        "modular",
        "modular:",
        "modular:coverage=0.5",
        "modular:p=7,num_first=3,num_second=5,maps=affine,seed=9",
        "modular:stages=3,num_third=2,novel=depth,coverage=0.3",
        "hyperteacher",
        "hyperteacher:supports=two_halves,num_train=28,encoding=tokens",
        "hyperteacher:held_out=0.4,weights=khot",
        "hyperteacher:supports=non_compositional,hotness=7-12-8,novel_hotness=3,encoding=zigzag",
        "hyperteacher:supports=connected,max_active=2,num_train=0.25M^2",
        "hyperteacher:supports=pseudo_random_disconnected,num_train=3.5M",
        "scan:addprim_jump",
        "scan:split=length",
        "bit-parity",
        "bit-parity:num_bits=12",
        "agreement",
        "anaphora:number=plural",
        "shapes:facts=contact-count",
        "odd-one-out:i=0+1+2,j=0+1+2/modular:p=7,coverage=0.5",
        "preference_grid",
        "preference_grid:supports=two_halves,hotness=7-12-8,num_colours=8,num_objects=2,scored=episode,encoding=zigzag",
    ],
)
def test_the_address_of_a_task_makes_it_again(address, generator):
    task = load_task(address)
    again = load_task(task.address)
    assert again == task
    assert again.address == task.address
    drawn = [t.examples("seen", 20, generator=Generator().manual_seed(0)) for t in (task, again)]
    assert drawn[0].targets.equal(drawn[1].targets)
    assert drawn[0].combination.equal(drawn[1].combination)


def test_values_are_parsed_to_the_type_of_the_field():
    assert load_task("modular:p=7,coverage=0.5") == Modular(p=7, coverage=0.5)
    assert load_task("hyperteacher:num_train=28") == Hyperteacher(num_train=28)


def test_a_table_is_found_from_anywhere(tmp_path, monkeypatch):
    write_table(tmp_path / "a,b=c")
    monkeypatch.chdir(tmp_path)
    task = load_task("table:a,b=c/table.toml")  # a path may hold what separates options elsewhere
    monkeypatch.chdir("/")
    again = load_task(task.address)
    assert (again.address, again.parts, again.combines) == (task.address, task.parts, task.combines)
    first, second = (found.examples("seen", 9, generator=Generator().manual_seed(0)) for found in (task, again))
    assert all(torch.equal(first.inputs[name], second.inputs[name]) for name in first.inputs)
    assert torch.equal(first.targets, second.targets)


def test_a_factory_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "my_own_tasks.py").write_text(
        "from assay.tasks.modular import Modular\n"
        "def small():\n    return Modular(p=5)\n"
        "def wrong():\n    return 7\n"
        "def sized(p):\n    return Modular(p=p)\n"
        "NUMBER = 3\n",
        encoding="utf-8",
    )
    assert load_task("my_own_tasks:small") == Modular(p=5)
    with pytest.raises(AssayError, match=r"a callable.*Given: smal. Choices: small, wrong, sized. Did you mean small"):
        load_task("my_own_tasks:smal")
    with pytest.raises(AssayError, match="must have a callable"):
        load_task("my_own_tasks:NUMBER")
    with pytest.raises(AssayError, match=r"must return an assay.task.Task.*Given: int"):
        load_task("my_own_tasks:wrong")
    with pytest.raises(AssayError, match=r"called without arguments. Given: my_own_tasks:sized, which needs p"):
        load_task("my_own_tasks:sized")


def test_a_factory_in_a_package():
    assert load_task("assay.tasks.modular:Modular") == Modular()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "modulr",
            r"no such task. Given: modulr. Choices: modular-addition, modular, .* table. Did you mean modular",
        ),
        ("modulr:p=7", r"no such task. Given: modulr:p=7"),
        ("", r"no such task"),
        ("modular:q=3", r"modular has no such option. Given: q. Choices: coverage, targets"),
        ("modular:coverag=3", r"Given: coverag. .*Did you mean coverage"),
        ("modular:7", r"is written option=value. Given: 7"),
        ("modular:p=7,,seed=1", r"is written option=value. Given: nothing"),
        ("modular:p=7,p=8", r"p may be given once. Given: 7 and 8"),
        ("modular:p=seven", r"p must be of type integer. Given: seven"),
        ("modular:p=7.5", r"p must be of type integer. Given: 7.5"),
        ("modular:p=", r"p must be of type integer. Given: nothing"),
        ("modular:maps=turn", r"maps must be one of its choices. Given: turn. Choices: shift, affine, permutation"),
        ("hyperteacher:supports=ring", r"Given: ring. Choices: random, equal, popular_modules, unpopular_modules, two_"),
        (
            "hyperteacher:num_train=many",
            r"num_train must be a number of supports, or grow with .* 3.5M or 0.5M\^2. Given: many",
        ),
        ("hyperteacher:novel_hotness=many", r"novel_hotness must be of type integer. Given: many"),
        ("preference_grid:scored=all", r"scored must be one of its choices. Given: all. Choices: action, episode"),
        ("preference_grid:encoding=fewshot", r"must be a function of z; .*Given: fewshot. Choices: identity, .*zigzag"),
        ("scan", r"scan needs its split.*Next: write scan:addprim_jump"),
        ("scan:jump", r"split must be a published one. Given: jump. Choices: simple, length, addprim_jump"),
        ("scan:length,7", r"split must be a published one. Given: length,7.*Did you mean length"),
        ("table", r"table needs its path.*Next: write table:path/to/table.toml"),
        ("table:nowhere.toml", r"a TOML file that exists. Given: .*nowhere.toml"),
        ("no_such_package.tasks:make", r"must be importable. Given: no_such_package.tasks: ModuleNotFoundError"),
    ],
)
def test_mistakes_are_told_in_one_message(address, message):
    with pytest.raises(AssayError, match=message):
        load_task(address)


def _check_type_words(words: str, hint: object) -> None:
    """The listing names every choice of a `Literal`, and else the kind of value."""
    kinds = [kind for kind in (typing.get_args(hint) or (hint,)) if kind is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        missing = [choice for choice in kinds if not re.search(rf"\b{re.escape(str(choice))}\b", words)]
        assert not missing, f"{words!r} does not name {missing}"
    elif bool in kinds:
        assert words == "true or false"
    elif int in kinds:
        assert words.startswith("integer") or re.fullmatch(r"\d(, \d)* or \d", words)
    elif float in kinds:
        assert words == "number"


@pytest.mark.parametrize("family", task_families(), ids=lambda family: family.name)
def test_the_listing_agrees_with_the_classes(family, monkeypatch, tmp_path):
    module, _, name = family.home.partition(":")
    made_by = getattr(importlib.import_module(module), name)  # a class, or a function that reads files
    hints = typing.get_type_hints(made_by)
    cls = made_by if isinstance(made_by, type) else hints["return"]
    assert issubclass(cls, Task)
    # What is trusted, and what a function takes behind its star, is never said in an address.
    fields = {
        name: parameter.default
        for name, parameter in inspect.signature(made_by).parameters.items()
        if name != "trust" and (made_by is cls or parameter.kind is not inspect.Parameter.KEYWORD_ONLY)
    }
    assert [option.name for option in family.options] == list(fields)
    for option in family.options:
        assert option.meaning
        _check_type_words(option.type, hints[option.name])
        default = fields[option.name]
        if default is inspect.Parameter.empty:
            assert option.default is None
        elif default is not None:  # None stands for a default that depends, which the listing tells in words
            assert option.default == str(default)
    assert family.variant in ("", *fields)
    write_table(tmp_path / "path")
    (tmp_path / "path" / "to").symlink_to(tmp_path / "path")
    if family.name == "list-texts":
        write_tokenizer(tmp_path / "path" / "to" / "model")
    monkeypatch.chdir(tmp_path)
    assert isinstance(load_task(family.form), cls), "the example of the listing must work"


def test_listing_families_does_not_import_torch():
    code = "import sys, assay.tasks; assay.tasks.task_families(); print('torch' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
