"""How many examples a forward pass takes."""

import torch
from torch import nn

from assay.batches import AT_ONCE, LEAST, spread_sample
from assay.subject import Subject


class Wide(nn.Module):
    """Notes how many examples each pass has."""

    def __init__(self, width: int):
        super().__init__()
        self.up, self.down, self.passes = nn.Linear(3, width), nn.Linear(width, 2), []

    def forward(self, x):
        self.passes.append(len(x))
        return self.down(torch.relu(self.up(x)) + torch.rand(len(x), 1))


def passes(width: int, number: int, **options: int) -> list[int]:
    subject, x = Subject(Wide(width), **options), torch.randn(number, 3)
    subject.module.passes.clear()
    assert len(subject({"x": x})) == number
    return subject.module.passes


def test_a_pass_takes_as_many_examples_as_its_widest_tensor_allows():
    assert passes(2**13, 200) == [2, 64, 64, 64, 8], "a pass on two shows the widest tensor"
    assert passes(2**13, LEAST) == [LEAST], "few are not looked at"
    assert passes(4, 2000) == [2, 1024, 976], "no more than asked for"
    assert passes(2**13, 200, batch_size=50) == [2, 50, 50, 50, 50]
    assert passes(2**19, 40) == [2, LEAST, 8], "never fewer than that"
    assert AT_ONCE // 2**13 == 64


def test_the_width_is_looked_at_once_and_moves_no_draw():
    torch.manual_seed(0)
    subject, x = Subject(Wide(2**13)), torch.randn(100, 3)
    subject.module.passes.clear()
    first, again = subject({"x": x}), subject({"x": x})
    assert subject.module.passes == [2, 64, 36, 64, 36]
    assert torch.equal(first, again), "the network draws the same with and without the pass on two"


def test_a_few_examples_are_spread_repeated_or_zero():
    inputs = {"x": torch.arange(10.0)[:, None]}
    cpu = torch.device("cpu")
    assert spread_sample(inputs, 4, cpu)["x"][:, 0].tolist() == [0, 3, 6, 9]
    assert spread_sample({"x": inputs["x"][:2]}, 5, cpu)["x"][:, 0].tolist() == [0, 1, 0, 1, 0]
    assert spread_sample({"x": inputs["x"][:0]}, 2, cpu)["x"].tolist() == [[0.0], [0.0]]
