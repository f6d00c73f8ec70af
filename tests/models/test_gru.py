"""The recurrent network: the same numbers as torch's own, its states as sites, and what it learns."""

import pytest
import torch
from torch import Generator, Tensor, nn

from assay.models import build
from assay.models.gru import GRUCell, TokenGRU
from assay.subject import Subject
from assay.tasks.modular import Modular
from assay.training.config import TrainingConfig
from assay.training.fit import fit
from assay.training.population.many import fit_many

TASK = Modular(p=5, num_first=4, num_second=4, coverage=0.7)


def made(seed: int = 0, **sizes: int) -> TokenGRU:
    module = build("gru", TASK, generator=Generator().manual_seed(seed), **sizes)
    assert isinstance(module, TokenGRU)
    return module.eval()


def tokens(n: int, length: int = 3) -> Tensor:
    return torch.randint(13, (n, length), generator=Generator().manual_seed(2))


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("length", [1, 3, 6])
def test_it_computes_what_torch_computes_with_the_same_weights(depth: int, length: int):
    module = made(width=6, depth=depth)
    other = nn.GRU(6, 6, num_layers=depth, batch_first=True)
    other.load_state_dict(
        {f"{name}_l{k}": value for k, cell in enumerate(module.cells) for name, value in cell.state_dict().items()}
    )
    given = tokens(7, length)
    states, _ = other(module.embedding(given))
    torch.testing.assert_close(module(given), module.head(states[:, -1]))
    if length > 1:
        read = Subject(module).read({"tokens": given}, [f"cells.{depth - 1}:out"])
        torch.testing.assert_close(read[f"cells.{depth - 1}:out"], states.detach())


@pytest.mark.parametrize("n", [0, 1, 5])
def test_a_cell_is_that_of_torch(n: int):
    cell = GRUCell(4, 3)
    x, state = torch.randn(n, 4, generator=Generator().manual_seed(0)), torch.randn(n, 3, generator=Generator().manual_seed(1))
    torch.testing.assert_close(cell(x, state), torch._VF.gru_cell(x, state, *cell.parameters()))
    assert torch.equal(cell(x), cell(x, torch.zeros(n, 3)))


def test_the_states_of_every_layer_at_every_position_are_sites():
    subject, inputs = Subject(made(width=6, depth=2)), {"tokens": tokens(7)}
    sites = {site.name: site for site in subject.sites(inputs)}
    assert (sites["cells.0:out"].shape, sites["cells.0:out"].calls) == ((3, 6), 3)
    assert (sites["cells.1:out"].shape, sites["cells.1:out"].calls) == ((3, 6), 3)
    assert "cells.1:in" not in sites  # it is what leaves the layer below


def test_replaced_states_take_the_place_of_its_own():
    subject, inputs, others = Subject(made(width=6, depth=2)), {"tokens": tokens(7)}, {"tokens": tokens(7).flip(0)}
    own, foreign = subject.read(inputs, ["cells.1:out"])["cells.1:out"], subject.read(others, ["cells.1:out"])["cells.1:out"]
    assert torch.equal(subject(inputs, replace={"cells.1:out": own}), subject(inputs))
    assert torch.equal(subject(inputs, replace={"cells.1:out": foreign}), subject(others))
    # The state before the last position, put in place of the base's, is kept by the recurrence of that layer.
    earlier = torch.cat([foreign[:, :2], own[:, 2:]], 1)
    assert torch.equal(subject(inputs, replace={"cells.1:out": earlier}), subject(inputs))
    below = subject.read(others, ["cells.0:out"])["cells.0:out"]
    torch.testing.assert_close(subject(inputs, replace={"cells.0:out": below}), subject(others))


def test_it_learns_the_modular_task():
    module = made(width=32)
    fit(module, TASK, config=TrainingConfig(steps=400, batch_size=128, learning_rate=1e-2))
    examples = TASK.examples("seen", 1000, generator=Generator().manual_seed(0))
    assert float((module(**examples.inputs).argmax(-1) == examples.targets).float().mean()) > 0.99


@pytest.mark.parametrize("strategy", ["vmap", "rule", "loop"])
def test_many_train_as_one_does(strategy: str):
    config = TrainingConfig(steps=5, batch_size=8, learning_rate=1e-2)
    alone, many = [made(seed, width=4, depth=2) for seed in range(2)], [made(seed, width=4, depth=2) for seed in range(2)]
    for module in alone:
        fit(module, TASK, config=config)
    fit_many(many, TASK, configs=config, strategy=strategy)
    for one, other in zip(alone, many, strict=True):
        for name, value in one.state_dict().items():
            torch.testing.assert_close(other.state_dict()[name], value, rtol=0, atol=1e-4)
