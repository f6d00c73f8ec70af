"""What a network draws is a function of the seed alone, and nothing of it is left behind."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from assay import load_instrument, load_task
from assay.audit import audit
from assay.instrument import run
from assay.isolation import GlobalDraws, seeded, subnormals_flushed, undisturbed
from assay.subject import Subject
from assay.training import TrainingConfig, fit, fit_many
from assay.training.cohort import Separate
from assay.training.updates import train_cohort

TASK = "modular:p=5,num_first=5,num_second=5"


class Drawing(nn.Module):
    """Functional dropout, stochastic depth and noise of NumPy, in evaluation mode too; batch normalisation; a part that is
    frozen in evaluation mode; a counter."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(15, 8)
        self.mix, self.norm, self.drop = nn.Linear(24, 16), nn.BatchNorm1d(16), nn.Dropout(0.2)
        self.branch = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.BatchNorm1d(16))
        self.out = nn.Linear(16, 5)
        self.register_buffer("count", torch.zeros(()))
        self.branch.eval()

    def forward(self, tokens: Tensor) -> Tensor:
        self.count = self.count + 1
        x = self.drop(self.norm(self.mix(self.embedding(tokens).flatten(1)))).relu()
        keep = (torch.rand(len(x), 1, device=x.device) < 0.8).float()
        x = x + keep * self.branch(x) * float(np.random.rand())
        return self.out(F.dropout(x, 0.2, training=True))


def drawing(seed: int = 0) -> Drawing:
    with seeded(seed):
        return Drawing()


def global_states() -> list[object]:
    """Without Python's, from which the type checks of tests draw."""
    numbers = np.random.get_state()
    return [torch.get_rng_state().tolist(), numbers[1].tolist(), numbers[2:]]


def kept(module: nn.Module) -> list[object]:
    """Everything of a module that must be as before, objects included."""
    modes = [part.training for part in module.modules()]
    buffers = [(id(value), value.tolist()) for value in module.buffers()]
    weights = [(id(value), value.tolist(), value.requires_grad, value.grad) for value in module.parameters()]
    return [modes, buffers, weights]


@pytest.fixture(autouse=True)
def own_states() -> Iterator[None]:
    """Given back without `seeded`, within which a subject would go on drawing."""
    numbers, python = np.random.get_state(), random.getstate()
    with torch.random.fork_rng():
        yield
    np.random.set_state(numbers)
    random.setstate(python)


def disturb(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def test_a_seed_decides_inside_and_nothing_is_left_outside():
    def drawn() -> list[float]:
        return [float(torch.rand(())), float(np.random.rand()), random.random()]

    disturb(5)
    before, of_python = global_states(), random.getstate()
    found = []
    for seed in (1, 1, 2, Generator().manual_seed(3)):
        with seeded(seed):
            found.append(drawn())
    assert found[0] == found[1] != found[2]
    with pytest.raises(KeyError), seeded(1):
        raise KeyError
    assert (global_states(), random.getstate()) == (before, of_python)


def test_what_draws_is_found_out():
    draws = GlobalDraws()
    torch.ones(3).sum()
    assert not draws.any
    for draw in (lambda: torch.rand(1), lambda: np.random.rand()):
        draws = GlobalDraws()
        draw()
        assert draws.any


def test_within_one_of_the_same_module_draws_go_on_and_elsewhere_they_start_anew():
    module = drawing()
    tokens = torch.zeros(4, 3, dtype=torch.int64)
    subject = Subject(module)
    assert torch.equal(subject({"tokens": tokens}), subject({"tokens": tokens}))
    with undisturbed(module, 1):
        assert not torch.equal(subject({"tokens": tokens}), subject({"tokens": tokens}))
        assert module.count == 2
    assert module.count == 0


@pytest.mark.parametrize("action", ["call", "read", "gradients", "sites", "integrity", "untrained", "replace"])
def test_a_subject_leaves_network_and_generators_as_they_were(action: str):
    module = drawing()
    inputs = {"tokens": torch.randint(15, (9, 3), generator=Generator().manual_seed(0))}
    actions = {
        "call": lambda s: s(inputs),
        "replace": lambda s: s(inputs, replace={"mix:out": torch.ones(9, 16)}),
        "read": lambda s: s.read(inputs, ["mix:out"])["mix:out"],
        "gradients": lambda s: s.gradients(inputs, ["mix:out"], torch.ones(9, 5))["mix:out"],
        "sites": lambda s: s.sites(inputs),
        "integrity": lambda s: s.integrity(inputs),
        "untrained": lambda s: s.untrained(Generator().manual_seed(1))(inputs),
    }
    found = []
    for seed in (1, 2):
        disturb(seed)
        before, was = global_states(), kept(module)
        found.append(actions[action](Subject(module, batch_size=4)))
        assert global_states() == before
        assert kept(module) == was
    assert torch.equal(*found) if isinstance(found[0], Tensor) else found[0] == found[1]


def test_a_network_that_draws_has_another_output_when_it_is_run_again():
    found = Subject(drawing()).integrity({"tokens": torch.zeros(4, 3, dtype=torch.int64)})
    assert (found.outputs_repeatable, found.outputs_identical, found.weights_identical) == (False, True, False)


@pytest.mark.parametrize("name", ["systematicity", "decodability", "recombination"])
def test_each_instrument_alone_gives_the_same_and_leaves_no_trace(name: str):
    module, task = drawing(), load_task(TASK)
    found = []
    for seed in (1, 2):
        disturb(seed)
        before, was = global_states(), kept(module)
        found.append(run(load_instrument(name), Subject(module), task, effort="quick"))
        assert global_states() == before
        assert kept(module) == was
    assert found[0] == found[1]


def test_an_audit_gives_the_same_in_one_process_or_two():
    module, task = drawing(), load_task(TASK)
    found = []
    for seed, jobs in ((1, 1), (2, 2)):
        disturb(seed)
        before, was = global_states(), kept(module)
        instruments = [load_instrument("systematicity"), load_instrument("recombination")]
        found.append(audit(Subject(module), task, effort="quick", instruments=instruments, jobs=jobs))
        assert global_states() == before
        assert kept(module) == was
    assert found[0].evidence == found[1].evidence


def test_training_draws_by_its_own_seed():
    task = load_task(TASK)

    def trained(outside: int, seed: int, *, alone: bool) -> dict[str, Tensor]:
        disturb(outside)
        before = global_states()
        models = [drawing(), drawing(1)]
        configs = [TrainingConfig(steps=5, batch_size=16, seed=number) for number in (seed, 7)]
        if alone:
            fit(models[0], task, config=configs[0])
        else:
            fit_many(models, task, configs=configs)
        assert global_states() == before
        return models[0].state_dict()

    one, other, another = (trained(outside, seed, alone=True) for outside, seed in ((1, 0), (2, 0), (1, 1)))
    beside = trained(3, 0, alone=False)
    assert all(torch.equal(value, other[name]) and torch.equal(value, beside[name]) for name, value in one.items())
    assert not torch.equal(one["out.weight"], another["out.weight"])
    fresh = drawing().state_dict()
    assert not torch.equal(one["norm.running_mean"], fresh["norm.running_mean"])
    assert torch.equal(one["branch.2.running_mean"], fresh["branch.2.running_mean"]), "the frozen part was trained on batches"


def test_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path):
    task, config = load_task(TASK), TrainingConfig(steps=6, batch_size=16)

    def stop(doing: str, share: float) -> None:
        if share >= 0.5:
            raise KeyboardInterrupt

    whole, interrupted, continued = drawing(), drawing(), drawing()
    fit(whole, task, config=config)
    with pytest.raises(KeyboardInterrupt):
        train_cohort(Separate([interrupted], [task], [config]), checkpoint=tmp_path / "checkpoint", progress=stop)
    disturb(3)
    train_cohort(Separate([continued], [task], [config]), checkpoint=tmp_path / "checkpoint")
    assert all(torch.equal(value, continued.state_dict()[name]) for name, value in whole.state_dict().items())


def test_subnormal_numbers_are_flushed_inside_alone():
    halved = lambda: float(torch.tensor(torch.finfo(torch.float32).tiny) / 2)  # noqa: E731
    assert halved() > 0
    with subnormals_flushed():
        assert halved() == 0
        with subnormals_flushed():
            pass
        assert halved() == 0
    assert halved() > 0
    with pytest.raises(KeyError), subnormals_flushed():
        raise KeyError
    assert halved() > 0
