"""Odd-one-out problems: who obeys what, what says nothing, which items are where, and what cannot be posed.

What items obey is read from the bits, from the tokens or from the task that they come from, not from the declaration alone.
"""

from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.task import POOLS, Examples, Items, Pool, PosesPartProblems, Tokens, Vector
from assay.tasks import load_task
from assay.tasks.bit_parity import BitParity
from assay.tasks.modular import Modular
from assay.tasks.odd_one_out import GroupedItems, OddOneOut
from assay.tasks.pools import hashed, is_in

OF_MODULAR = "odd-one-out:i=0+1+2+3+4+5,j=0+1+2+3+4+5/modular:p=13"
EVERY_FAMILY = ["bit-parity", "bit-parity:num_bits=9", OF_MODULAR]


def obeyed(task: OddOneOut, items: Tensor) -> Bool[Tensor, "n 4 2"]:
    """What the items of these families obey, from their content."""
    if isinstance(task, BitParity):
        half = task.num_bits // 2
        return torch.stack([items[..., 0] == items[..., 1], items[..., half] == items[..., half + 1]], -1)
    return torch.stack([items[..., 0] < 6, items[..., 1] < 12 + 6], -1)  # i is token 0 to 11, j token 12 to 23


def odd_first(examples: Examples, values: Tensor) -> Tensor:
    """`(n, 4, ...)` with the odd item before the others, whose order stays."""
    n = len(examples)
    order = (torch.arange(4).expand(n, -1) != examples.targets[:, None]).long().argsort(dim=1, stable=True)
    return values[torch.arange(n)[:, None], order]


def make(address: str) -> OddOneOut:
    task = load_task(address)
    assert isinstance(task, OddOneOut)
    assert isinstance(task, PosesPartProblems)
    return task


@pytest.mark.parametrize("address", EVERY_FAMILY)
@pytest.mark.parametrize("pool", POOLS)
def test_three_items_obey_both_parts_and_one_breaks_one(address, pool: Pool, generator):
    task = make(address)
    examples = task.problems(200, pool=pool, generator=generator)
    obeys = odd_first(examples, obeyed(task, examples.inputs["items"]))
    assert obeys[:, 1:].all()
    assert obeys[:, 0].sum(1).eq(1).all()
    assert obeys[:, 0].sum(0).tolist() == [100, 100]
    assert torch.stack([examples.parts[name] for name in task.combines], 1).equal(obeys[:, 0].long())
    assert set(examples.targets.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("address", EVERY_FAMILY)
@pytest.mark.parametrize("k", [0, 1])
def test_testing_breaks_one_part_only(address, k, generator):
    task = make(address)
    examples = task.testing(task.combines[k], 100, pool="test", generator=generator)
    obeys = odd_first(examples, obeyed(task, examples.inputs["items"]))
    assert obeys[:, 1:].all()
    assert not obeys[:, 0, k].any()
    assert obeys[:, 0, 1 - k].all()


@pytest.mark.parametrize("address", EVERY_FAMILY)
@pytest.mark.parametrize("k", [0, 1])
def test_reading_says_nothing_by_the_other_part(address, k, generator):
    task = make(address)
    n = 2000
    examples = task.reading(task.combines[k], n, pool="mask", generator=generator)
    obeys = odd_first(examples, obeyed(task, examples.inputs["items"]))
    assert obeys[:, 1:, k].all()
    assert not obeys[:, 0, k].any()
    # The best that can be done from the other part alone: for each of its patterns over the positions, the commonest answer.
    patterns = (obeyed(task, examples.inputs["items"])[..., 1 - k] * 2 ** torch.arange(4)).sum(1)
    best = sum(examples.targets[patterns == pattern].bincount(minlength=4).max() for pattern in range(16)) / n
    assert best < 0.25 + 0.07
    # The four items are alike in it, however many of the problem obey it.
    assert (obeys[:, :, 1 - k].float().mean(0) - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("address", EVERY_FAMILY)
def test_nonsense_is_a_bit_of_a_hash_and_no_part(address, generator):
    task = make(address)
    examples = task.nonsense(7, 800, pool="mask", generator=generator)
    items = odd_first(examples, examples.inputs["items"])
    bits = (hashed(items.flatten(0, 1), 7) & 1).view(-1, 4)
    assert bits[:, 0].all()
    assert not bits[:, 1:].any()
    if not address.startswith("bit-parity:num_bits=9"):  # with so few items chance alone lets a hash follow a part
        obeys = odd_first(examples, obeyed(task, examples.inputs["items"])).float().mean(0)
        assert (obeys - 0.5).abs().max() < 0.09
    other = (hashed(items.flatten(0, 1), 8) & 1).view(-1, 4)
    assert not other.equal(bits)


@pytest.mark.parametrize("address", EVERY_FAMILY)
def test_no_item_and_no_group_is_in_two_pools(address, generator):
    task = make(address)
    items: list[set[tuple[float, ...]]] = []
    groups: list[set[int]] = []
    for pool in POOLS:
        drawn = [task.problems(400, pool=pool, generator=generator), task.nonsense(3, 100, pool=pool, generator=generator)]
        drawn += [task.reading(name, 400, pool=pool, generator=generator) for name in task.combines]
        drawn += [task.testing(name, 400, pool=pool, generator=generator) for name in task.combines]
        items.append({tuple(row) for one in drawn for row in one.inputs["items"].flatten(0, 1).tolist()})
        groups.append({group for one in drawn for group in one.combination.tolist()})
    for k, other in ((0, 1), (0, 2), (1, 2)):
        assert not items[k] & items[other]
        assert not groups[k] & groups[other]
    assert min(map(len, groups)) > 30


def test_a_pool_has_its_share_of_the_items():
    groups = torch.arange(40_000)
    shares = [is_in(groups, pool).float().mean().item() for pool in POOLS]
    assert shares == pytest.approx([0.5, 0.25, 0.25], abs=0.01)
    assert sum(is_in(groups, pool).long() for pool in POOLS).eq(1).all()


@pytest.mark.parametrize("make_items", [torch.rand, torch.randn, lambda *size: torch.randint(5, size)])
def test_a_hash_tells_items_apart_by_everything_they_hold(make_items):
    torch.manual_seed(0)
    items = make_items(3000, 3, 7)
    changed = items.clone()
    changed[torch.arange(3000), torch.randint(3, (3000,)), torch.randint(7, (3000,))] += 1
    assert hashed(items).equal(hashed(items.clone()))
    assert (hashed(items) != hashed(changed)).all()
    assert (hashed(items) >= 0).all()
    for shift in (0, 1, 5, 40, 62):  # every bit is a fair coin, and flips with probability one half
        bits, flipped = hashed(items) >> shift & 1, hashed(changed) >> shift & 1
        assert bits.float().mean().item() == pytest.approx(0.5, abs=0.05)
        assert (bits != flipped).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_of_all_items_of_eight_bits_each_is_in_one_pool_and_all_are_drawn(generator):
    task = make("bit-parity:num_bits=8")
    found: Counter[tuple[float, ...]] = Counter()
    for pool in POOLS:
        examples = task.nonsense(0, 1500, pool=pool, generator=generator)
        found.update({tuple(row) for row in examples.inputs["items"].flatten(0, 1).tolist()})
    assert set(found.values()) == {1}
    assert len(found) == 2**8


@pytest.mark.parametrize("address", EVERY_FAMILY)
def test_positions_say_nothing(address, generator):
    task = make(address)
    targets = task.problems(4000, pool="base", generator=generator).targets
    assert (targets.bincount(minlength=4) / 4000 - 0.25).abs().max() < 0.03


@pytest.mark.parametrize("address", EVERY_FAMILY)
def test_the_task_as_any_other(address, generator):
    task = make(address)
    assert isinstance(task.input_spec, Items)
    assert task.objective.chance == 0.25
    for split, pool in (("train", "base"), ("seen", "base"), ("novel", "test")):
        examples = task.examples(split, 60, generator=generator)
        assert is_in(examples.combination, pool).all()
        assert task.combinations(split).tolist() == ([] if split == "novel" else [[0, 1], [1, 0]])
    again = load_task(task.address)
    assert again == task
    drawn = [one.problems(30, pool="base", generator=Generator().manual_seed(5)) for one in (make(again.address), task)]
    assert drawn[0].inputs["items"].equal(drawn[1].inputs["items"])
    assert drawn[0].targets.equal(drawn[1].targets)


@pytest.mark.parametrize("address", EVERY_FAMILY)
@pytest.mark.parametrize("n", [0, 1])
def test_no_problem_and_one(address, n, generator):
    task = make(address)
    spec = task.item_spec()
    shape = (spec.length,) if isinstance(spec, Tokens) else (spec.num_features,)
    first = task.combines[0]
    for examples in (
        task.problems(n, pool="base", generator=generator),
        task.reading(first, n, pool="mask", generator=generator),
        task.testing(first, n, pool="test", generator=generator),
        task.nonsense(0, n, pool="test", generator=generator),
    ):
        assert len(examples) == n
        assert examples.inputs["items"].shape == (n, 4, *shape)
        assert examples.targets.dtype == torch.int64


def test_items_of_another_task_have_its_input_and_its_values(generator):
    task, inner = make(OF_MODULAR), Modular(p=13)
    assert task.input_spec == Items(Tokens(vocab=37, length=3))
    everything = torch.cat([inner.examples(split, 10**6, generator=generator).inputs["tokens"] for split in ("seen", "novel")])
    known = {tuple(row) for row in everything.tolist()}
    drawn = task.problems(500, pool="base", generator=generator).inputs["items"].flatten(0, 1)
    assert {tuple(row) for row in drawn.tolist()} <= known
    values = make("odd-one-out:colour1=red,shape2=square+circle/binding:form=scene,num_objects=2")
    assert values.parts[0].name == "colour1"
    assert isinstance(values.item_spec(), Vector)


@dataclass(frozen=True, kw_only=True)
class _Entangled(OddOneOut):
    """Whoever breaks `b` breaks `a` too, so no item breaks b alone."""

    family: ClassVar[str] = "entangled"
    part_names: ClassVar[tuple[str, str]] = ("a", "b")

    def item_spec(self) -> Vector:
        return Vector(2)

    def candidates(self, obeys: Bool[Tensor, "m 2"], *, pool: Pool, generator: Generator) -> GroupedItems:
        group = torch.randint(999, (len(obeys),), generator=generator)
        group[obeys[:, 0] & ~obeys[:, 1]] = int((~is_in(torch.arange(999), pool)).nonzero()[0])
        return GroupedItems(obeys.float(), group)


def test_a_part_that_cannot_be_isolated_is_named(generator):
    task = _Entangled()
    assert len(task.testing("a", 20, pool="base", generator=generator)) == 20
    with pytest.raises(AssayError, match="no item of the pool 'base' obeys a, breaks b, so b cannot be isolated"):
        task.testing("b", 20, pool="base", generator=generator)
    with pytest.raises(AssayError, match=r"has no such part. Given: c. Choices: a, b"):
        task.reading("c", 20, pool="base", generator=generator)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("bit-parity:num_bits=7", "num_bits must be between 8 and 62. Given: 7"),
        ("bit-parity:num_bits=63", "num_bits must be between 8 and 62. Given: 63"),
        ("odd-one-out", "odd-one-out needs its of"),
        ("odd-one-out:i=0/modular", "needs two parts with values, then a task. Given: i=0/modular"),
        ("odd-one-out:i=0,j=1", "needs two parts with values, then a task"),
        ("odd-one-out:i=0,k=1/modular", "has no such part. Given: k. Choices: i, j, x, z"),
        ("odd-one-out:i=0,j=99/modular", "part 'j' has no such value. Given: 99"),
        ("odd-one-out:i=0,j=1/nothing", "there is no such task. Given: nothing"),
        ("odd-one-out:m0=present,m1=present/preference_grid", "an item must be tokens, a vector or an image"),
        ("odd-one-out:i=0,j=0/modular:p=2,num_first=3,num_second=3,synonyms=true", "cannot be isolated"),
        ("odd-one-out:i=0+1+2+3+4+5+6+7+8+9+10+11,j=0/modular:p=13", "breaks i, .* so i and j cannot be isolated"),
    ],
)
def test_errors_say_what_was_given(address, message):
    with pytest.raises(AssayError, match=message):
        load_task(address)
