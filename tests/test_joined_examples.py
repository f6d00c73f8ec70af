"""Tables of examples, one behind the other."""

import torch

from assay.task import Examples


def table(first: int, n: int, **parts: int) -> Examples:
    rows = torch.arange(first, first + n)
    columns = {name: torch.full((n,), value) for name, value in parts.items()}
    return Examples({"x": rows[:, None]}, rows * 10, columns, rows)


def test_rows_stand_one_behind_the_other_and_columns_of_one_alone_are_left_out():
    found = Examples.joined(table(0, 2, a=1, b=2), table(5, 3, a=3), table(9, 0, a=4, c=5))
    assert found.inputs["x"].tolist() == [[0], [1], [5], [6], [7]]
    assert found.targets.tolist() == [0, 10, 50, 60, 70]
    assert found.combination.tolist() == [0, 1, 5, 6, 7]
    assert {name: column.tolist() for name, column in found.parts.items()} == {"a": [1, 1, 3, 3, 3]}
    assert len(Examples.joined(table(0, 0))) == 0
