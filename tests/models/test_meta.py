"""Weights are counted before any is allocated, and without the compiler, which takes seconds to import."""

import subprocess
import sys

import torch
from torch import nn

from assay.models.meta import only_shapes

BUILDS = """
import sys
from torch import Generator
from assay.audit import audit
from assay.models import NAMES, build
from assay.subject import Subject
from assay.tasks import load_task

def built(name, task):
    return build(name, task, generator=Generator().manual_seed(0))

left = {*NAMES}
for address in ("modular:p=7,num_first=6,num_second=6", "scan:addprim_jump", "non-adjacent-sum", "digits", "picture", "scenes"):
    task = load_task(address)
    for name in sorted(left):
        try:
            built(name, task)
        except ValueError:  # of another kind of input
            continue
        left.discard(name)
        assert "torch._dynamo" not in sys.modules, name
assert not left, left
task = load_task("modular:p=7,num_first=6,num_second=6")
subject = Subject(built("transformer", task))
inputs = task.examples("seen", 8, generator=Generator().manual_seed(0)).inputs
cuts = subject.cuts(inputs)
cuts.run(inputs, 1, cuts.read(inputs, 1))
audit(subject, task, effort="quick", progress=None)
assert "torch._dynamo" not in sys.modules
"""


def test_no_reference_network_and_no_audit_of_one_imports_the_compiler():
    run = subprocess.run([sys.executable, "-c", BUILDS], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


class Embeds(nn.Module):
    """Draws in every way that torch has an own function for."""

    def __init__(self):
        super().__init__()
        self.token, self.line = nn.Embedding(5, 3), nn.Linear(3, 2)
        nn.init.trunc_normal_(self.line.weight)
        nn.init.normal_(tensor=self.line.bias)
        self.token.weight.data.normal_(0, 2)


def test_what_is_built_has_its_shapes_and_nothing_is_drawn():
    state = torch.get_rng_state()
    with only_shapes():
        made = Embeds()
    assert {name: (tuple(one.shape), one.device.type) for name, one in made.named_parameters()} == {
        "token.weight": ((5, 3), "meta"),
        "line.weight": ((2, 3), "meta"),
        "line.bias": ((2,), "meta"),
    }
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(0)
    assert bool(nn.Embedding(5, 3).weight.any())
