"""The optimisers are those of torch, without what these import."""

import subprocess
import sys

import pytest
import torch

from assay import optimisers

FITS = """
import sys
from torch import Generator
from assay.models import build
from assay.tasks import load_task
from assay.training import TrainingConfig, fit

task = load_task("modular:p=7,num_first=6,num_second=6")
fit(build("mlp", task, generator=Generator().manual_seed(0), width=8), task, config=TrainingConfig(steps=5))
assert "torch._dynamo" not in sys.modules
"""


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("fused", [True, False])
def test_a_step_is_that_of_torch_to_the_bit(name, fused):
    trained = []
    for of in (optimisers, torch.optim):
        module = torch.nn.Linear(3, 3)
        with torch.no_grad():
            for weight in module.parameters():
                weight.copy_(torch.arange(weight.numel()).view_as(weight) / 7)
        optimiser = getattr(of, name)(module.parameters(), lr=0.1, weight_decay=0.1, fused=fused)
        for k in range(5):
            optimiser.zero_grad()
            module(torch.full((2, 3), k / 5)).square().sum().backward()
            optimiser.step()
            optimiser.load_state_dict(optimiser.state_dict())
        trained.append(module.weight.detach())
        assert not module.weight.grad_fn
    assert torch.equal(*trained)


def test_no_training_imports_the_compiler():
    run = subprocess.run([sys.executable, "-c", FITS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
