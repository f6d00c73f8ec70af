"""Partition by what acts together: networks whose groups are built in."""

import torch
from torch import nn

from assay.instruments.binding.interactions import cells, from_interactions, interactions
from assay.instruments.binding.segmentation import contingency, fg_ari
from assay.subject import Subject


class Groups(nn.Module):
    """Sums each group of pixels, squares the sums, and adds what is linear in the picture."""

    def __init__(self, groups, linear=0.0):
        super().__init__()
        self.register_buffer("member", nn.functional.one_hot(groups.flatten()).float())
        self.linear = nn.Parameter(torch.tensor(linear))

    def forward(self, image):
        return (image.mean(1).flatten(1) @ self.member).square() + self.linear * image.mean((1, 2, 3))[:, None]


def test_groups_that_act_together_are_found_whatever_is_linear(generator):
    # Of different brightness, so that no cell is as in the mean picture.
    image = torch.rand(6, 3, 8, 8, generator=generator) / 10 + torch.arange(6.0)[:, None, None, None]
    groups = (cells(8, 8) % 4 >= 2).long()
    for linear in (0.0, 5.0):
        segments, states = from_interactions(Subject(Groups(groups, linear)), {"image": image}, 2)
        agreement = fg_ari(contingency(segments, groups.expand(6, -1, -1) + 1))
        assert torch.equal(agreement, torch.ones(6, dtype=torch.float64))
        assert states.shape == (6, 2, 2)
    plain, moved = (interactions(Subject(Groups(groups, linear)), {"image": image}, cells(8, 8)) for linear in (0.0, 5.0))
    torch.testing.assert_close(plain, moved, rtol=1e-3, atol=1e-4)
    assert float(plain.diagonal(dim1=1, dim2=2).sum()) == 0.0


def test_nothing_interacts_in_a_linear_network(generator):
    image = torch.rand(2, 3, 8, 8, generator=generator)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network

        def forward(self, image):
            return self.inner(image)

    assert float(interactions(Subject(Named()), {"image": image}, cells(8, 8)).sum()) == 0.0
    assert len(interactions(Subject(Named()), {"image": image[:1]}, cells(8, 8))) == 1
