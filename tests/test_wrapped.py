"""Networks of other tools as they are: hook points are submodules that pass on what they get, and an object that traces a
module is no module but keeps one. tests/test_lens.py has the packages themselves."""

import pytest
import torch
from torch import Generator, nn

import assay
from assay.errors import AssayError
from assay.instrument import run
from assay.stats import keyed_generator

TASK = "modular-addition:p=7,coverage=0.7"


class Plain(nn.Module):
    """Two embedded tokens and one hidden layer."""

    def __init__(self):
        super().__init__()
        self.embed, self.hidden, self.out = nn.Embedding(14, 16), nn.Linear(32, 24), nn.Linear(24, 7)

    def forward(self, tokens):
        return self.out(torch.relu(self.hidden(self.embed(tokens).flatten(1))))


class Hooked(Plain):
    """The same, every state of which goes through a module that does nothing."""

    def __init__(self):
        super().__init__()
        self.hook_embed, self.hook_pre, self.hook_post = nn.Identity(), nn.Identity(), nn.Identity()

    def forward(self, tokens):
        pre = self.hook_pre(self.hidden(self.hook_embed(self.embed(tokens)).flatten(1)))
        return self.out(self.hook_post(torch.relu(pre)))


class Tracer:
    """No module; it forwards attribute access to the module it wraps, as nnsight does."""

    def __init__(self, module):
        self._module = module

    def __getattr__(self, name):
        return getattr(self._module, name)


@pytest.fixture(scope="module")
def task():
    return assay.load_task(TASK)


def trained(kind, task):
    torch.manual_seed(0)
    network = kind()
    examples = task.examples("seen", 10**4, generator=Generator().manual_seed(0))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(examples.inputs["tokens"]), examples.targets).backward()
        optimiser.step()
    return network


def test_hook_points_change_no_number(task):
    evidence = [
        run(assay.load_instrument("systematicity"), assay.Subject(trained(kind, task)), task, effort="quick")
        for kind in (Plain, Hooked)
    ]
    assert evidence[0] == evidence[1]


def test_hook_points_are_places_to_read_and_to_patch(task):
    subject = assay.Subject(trained(Hooked, task))
    inputs = task.examples("seen", 10**4, generator=Generator().manual_seed(0)).inputs
    assert {"hook_embed:out", "hook_pre:out", "hook_post:out"} <= subject.places(inputs)
    states = subject.read(inputs, ["hook_post:out", "out:in"])
    assert torch.equal(states["hook_post:out"], states["out:in"])
    shuffled = states["hook_post:out"][torch.randperm(len(states["out:in"]), generator=keyed_generator(0, "order"))]
    assert torch.equal(subject(inputs, replace={"hook_post:out": shuffled}), subject(inputs, replace={"out:in": shuffled}))


def test_of_an_object_that_traces_a_module_that_module_is_audited(task):
    network = trained(Plain, task)
    traced = assay.Subject(Tracer(network), name="mine")
    assert traced.module is network
    result = assay.audit(traced, task, effort="quick", instruments=[assay.load_instrument("systematicity")], progress=None)
    (remark,) = result.subject.remarks
    assert remark == "wrapped (Tracer); the module in it was audited"
    plain = assay.Subject(network, name="mine")
    again = assay.audit(plain, task, effort="quick", instruments=[assay.load_instrument("systematicity")], progress=None)
    assert (again.evidence, again.subject.remarks) == (result.evidence, ())


@pytest.mark.parametrize("what", [Tracer("no module"), object(), None, len])
def test_what_has_no_module_is_refused(what):
    with pytest.raises(AssayError, match=r"must be a torch\.nn\.Module"):
        assay.Subject(what)


def test_weights_that_are_not_loaded_are_named(task):
    with torch.device("meta"):
        network = Plain()
    with pytest.raises(AssayError, match=r"embed\.weight on the meta device"):
        assay.audit(assay.Subject(network), task, effort="quick", progress=None)
