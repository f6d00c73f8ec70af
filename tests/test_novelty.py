"""Kinds of novelty: planted tasks, and the same cells as `assay.coverage` finds by its own way."""

import json
from dataclasses import dataclass

import pytest
import torch
from torch import Generator

import assay
from assay import novelty
from assay.errors import AssayError
from assay.novelty import answered, listed, novelty_of
from assay.objective import Classification
from assay.substitution import coverage as substitution_coverage
from assay.task import Examples, Part, Task
from assay.tasks import load_task
from assay.views import View

OURS = (
    "modular",
    "modular:num_first=12,num_second=12,synonyms=true",
    "modular:stages=3,seed=1,num_first=5,num_second=5",
    "modular-addition:p=11",
    "trees",
    "transducer",
    "binding",
)


@pytest.mark.parametrize("address", OURS)
def test_kinds_are_the_cells_of_coverage(address):
    task = load_task(address)
    found, coverage = novelty_of(task), assay.coverage(address)
    counts = {kind: found.kinds.count(kind) for kind in ("synonym", "inside", "outside")}
    assert counts == {
        "synonym": coverage.synonyms.count,
        "inside": coverage.inside_1.count,
        "outside": coverage.outside_1.count,
    }
    names = {
        tuple(names[value] for names, value in zip(coverage.values, row, strict=True)): cell
        for row, cell in zip(coverage.novel.tolist(), coverage.cells, strict=True)
    }
    rows = task.combinations("novel")
    ids = task.combination_id(dict(zip(task.combines, rows.T, strict=True)))
    told = [tuple(task.part(n).values[v] for n, v in zip(task.combines, row, strict=True)) for row in rows.tolist()]
    assert found.of(ids) == [names[name] for name in told]


@dataclass(frozen=True, eq=False)
class Drawn(Task):
    """Pairs (a, b) of 4 values each, shown as noise around a code: there is no end of inputs. The answer is a + b, unless
    `coin` makes it one or the other at random."""

    coin: bool = False
    address = "drawn"
    parts = (Part("a", tuple("0123")), Part("b", tuple("0123")))
    combines = ("a", "b")
    input_spec = None
    objective = Classification(num_classes=8)

    def combinations(self, split):
        rows = torch.cartesian_prod(torch.arange(4), torch.arange(4))
        novel = rows.sum(1) == 3
        return rows[novel if split == "novel" else ~novel]

    def examples(self, split, n, *, generator):
        rows = self.combinations(split)
        rows = rows[torch.randint(len(rows), (n,), generator=generator)]
        targets = rows.sum(1) + (torch.randint(2, (n,), generator=generator) if self.coin else 0)
        parts = {"a": rows[:, 0], "b": rows[:, 1]}
        x = torch.randn(n, 3, generator=generator)
        return Examples({"x": x}, targets, parts, self.combination_id(parts))


def test_inputs_without_end_have_kinds_where_all_examples_of_a_combination_have_one_answer():
    ((rows, answers),), told = answered(Drawn(), "seen")
    assert len(rows) == 12
    sums = dict(zip(map(tuple, rows.tolist()), answers, strict=True))
    assert len({sums[pair] for pair in sums if sum(pair) == 4}) == 1
    assert told == "the target that all examples drawn of a combination have"
    assert novelty_of(Drawn()).kinds == ("outside",) * 4
    assert assay.coverage(Drawn()).outside_1.count == 4


def test_inputs_without_end_whose_answers_differ_have_no_kinds():
    found = novelty_of(Drawn(coin=True))
    assert found.kinds == ()
    assert "must have one answer" in found.unknown


@pytest.mark.parametrize("address", ["hyperteacher", "bit-parity"])
def test_why_kinds_are_not_known_is_told(address):
    found = novelty_of(load_task(address))
    assert found.kinds == ()
    assert found.unknown


def test_large_inputs_without_end_are_not_drawn_without_bound(monkeypatch):
    monkeypatch.setattr(novelty, "_MOST_BYTES", 10_000)
    sizes, original = [], Drawn.examples

    def examples(self, split, n, *, generator):
        sizes.append(n)
        return original(self, split, n, generator=generator)

    monkeypatch.setattr(Drawn, "examples", examples)
    assert novelty_of(Drawn(coin=True)).kinds == ()
    assert max(sizes) < 1_000


def test_no_novel_example_is_drawn(monkeypatch):
    task = load_task("modular:p=5")
    drawn, original = [], type(task).examples

    def examples(self, split, n, *, generator):
        drawn.append(split)
        return original(self, split, n, generator=generator)

    monkeypatch.setattr(type(task), "examples", examples)
    novelty_of(task)
    assert set(drawn) == {"seen"}


def test_kinds_are_found_once_for_a_task_and_a_task_need_not_be_hashable(monkeypatch):
    @dataclass
    class Unhashable(View):
        task: Task

        def __post_init__(self):
            super().__init__(self.task, ())

    task, asked, original = Unhashable(load_task("modular:p=5")), [], novelty._novelty
    monkeypatch.setattr(novelty, "_novelty", lambda *given: asked.append(given) or original(*given))
    with pytest.raises(TypeError):
        hash(task)
    assert novelty_of(task) is novelty_of(task)
    assert len(asked) == 1
    novelty_of(Unhashable(load_task("modular:p=5")))
    assert len(asked) == 2, "another object may be another task"


def test_kinds_are_not_known_where_chains_are_not_followed_to_their_end(monkeypatch):
    task = load_task("trees:coverage=0.5")
    monkeypatch.setattr(substitution_coverage, "MOST_STATES", 1)
    found = novelty_of(task)
    assert found.kinds == ()
    assert "few enough to follow" in found.unknown
    monkeypatch.undo()
    assert "outside" in novelty_of(task).kinds


def test_all_examples_are_listed():
    task = load_task("modular:p=5")
    assert len(listed(task, "seen")) == 5 * len(task.combinations("seen"))


def test_a_combination_that_is_not_novel_has_no_kind():
    task = load_task("modular:p=5")
    rows = task.combinations("seen")
    with pytest.raises(AssertionError, match="not a novel combination"):
        novelty_of(task).of(task.combination_id({"i": rows[:, 0], "j": rows[:, 1]}))


def test_generator_is_not_touched():
    generator = Generator().manual_seed(3)
    before = generator.get_state()
    novelty_of(load_task("modular:p=5"))
    assert bool((generator.get_state() == before).all())


@pytest.fixture
def tabled(tmp_path):
    """Makes a table of combinations (a, b), beside which c varies freely, from rows (a, b, c, y, split)."""

    def made(rows):
        names = ("a", "b", "c", "y", "split")
        (tmp_path / "data.jsonl").write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
        (tmp_path / "table.toml").write_text(
            'data = "data.jsonl"\ncombines = ["a", "b"]\ninputs = [{ kind = "token", columns = ["a", "b", "c"] }]\n'
            'target = { column = "y", kind = "class" }\nparts = [{ name = "a" }, { name = "b" }, { name = "c" }]\n'
            'split = { column = "split" }\n'
        )
        return load_task(f"table:{tmp_path / 'table.toml'}")

    return made


# Values 0 and 1 of a act identically, at both values of c.
PLANTED = [
    (str(a), str(b), str(c), (a // 2 * 5 + b + c) % 4, "novel" if (a, b) == (1, 0) else "train")
    for a in range(4)
    for b in range(3)
    for c in range(2)
]


def test_what_varies_freely_beside_a_combination_is_part_of_its_answer(tabled):
    assert novelty_of(tabled(PLANTED)).kinds == ("synonym",)
    told = [(*row[:3], row[3] + (row[0] == "1" and row[2] == "1"), row[4]) for row in PLANTED]  # alike at one value of c only
    assert novelty_of(tabled(told)).kinds == ("outside",)
    assert novelty_of(tabled(PLANTED + PLANTED)).kinds == ("synonym",)


def test_combinations_shown_at_other_values_of_what_varies_freely_are_not_compared(tabled):
    task = tabled([row for row in PLANTED if row[:3] != ("1", "2", "1")])
    found = novelty_of(task)
    assert found.kinds == ()
    assert "at every value of c" in found.unknown
    with pytest.raises(AssayError, match="a=1, b=2: 1 of 2"):
        assay.coverage(task)


def test_contradictions_of_the_training_data_are_counted(tabled):
    assert novelty_of(tabled(PLANTED)).contradictions == 0
    contradicted = [*PLANTED, ("0", "0", "0", 3, "train"), ("0", "1", "1", 3, "train"), ("0", "1", "0", 3, "train")]
    found = novelty_of(tabled(contradicted))
    assert found.contradictions == 2
    assert found.kinds == ("outside",)  # a = 0 and a = 1 act alike no more
