"""Which cells are trained together follows from the cells alone."""

from assay.sweep.cell_group import MOST_TOGETHER, SMALL, GroupMember, grouped
from assay.sweep.plan import CellRecipe
from assay.sweep.shape import CellShape


def shape(width: int, *, flops: float, steps: int = 10) -> CellShape:
    return CellShape("mlp", (("width", width),), steps, 32, flops)


def members(prefix: str, num: int) -> list[GroupMember]:
    recipe = CellRecipe(task="modular", model=None, sizes={}, training={})
    return [GroupMember(f"{prefix}{index}", recipe) for index in range(num)]


def test_small_models_of_one_shape_share_a_piece_and_large_ones_do_not():
    small, large = members("small", 40), members("large", 3)
    shapes = {m.name: shape(8, flops=SMALL) for m in small} | {m.name: shape(512, flops=SMALL + 1) for m in large}
    groups = grouped([*small, *large], shapes)
    sizes = sorted(len(group) for group in groups)
    assert sizes == [1, 1, 1, 8, MOST_TOGETHER, MOST_TOGETHER]
    assert sorted(m.name for group in groups for m in group) == sorted(m.name for m in [*small, *large])
    assert all(len({shapes[m.name] for m in group}) == 1 for group in groups)


def test_the_longest_pieces_come_first():
    some = [*members("a", 1), *members("b", 1), *members("c", 1)]
    shapes = {
        "a0": shape(8, flops=SMALL + 1, steps=10),
        "b0": shape(16, flops=SMALL + 2, steps=100),
        "c0": shape(32, flops=4 * SMALL, steps=50),
    }
    assert [group[0].name for group in grouped(some, shapes)] == ["c0", "b0", "a0"]


def test_nothing_to_do_is_no_piece():
    assert grouped([], {}) == []
