"""Networks as people write them: compiled, weight-normed, masked, stateful, without submodules, bound to a GPU. Each is audited
as its plain twin is, or refused in one sentence."""

import copy
import threading
import warnings

import pytest
import torch
from torch import Generator, nn
from torch.nn import functional as F

from assay.attributes import copied, kept_tensors
from assay.audit import audit
from assay.compiled import original
from assay.conformance.tasks import small_task
from assay.errors import AssayError
from assay.forward_errors import forward_failed
from assay.instrument import missing_abilities, run
from assay.instruments import all_instruments, load_instrument
from assay.report import summary_text, write_report
from assay.subject import Subject
from assay.training import TrainingConfig, fit_many

TASK = small_task()
INPUTS = TASK.examples("seen", 20, generator=Generator().manual_seed(0)).inputs
LENGTH, CLASSES = INPUTS["tokens"].shape[1], TASK.objective.width()
VOCABULARY = int(INPUTS["tokens"].max()) + 20


class Net(nn.Module):
    """A plain one, whose middle layer is made by `around`."""

    def __init__(self, around=lambda layer: layer):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.embed = nn.Embedding(VOCABULARY, 8)
            self.middle = around(nn.Linear(8 * LENGTH, 16))
            self.out = nn.Linear(16, CLASSES)

    def forward(self, tokens):
        return self.out(self.middle(self.embed(tokens).flatten(1)).relu())


def quick(network, *names, **options):
    return audit(Subject(network), TASK, effort="quick", instruments=[load_instrument(name) for name in names], **options)


# Compiled


def compiled(how: str) -> tuple[nn.Module, str]:
    """A network that has run compiled before it is audited, and the name of its middle layer."""
    if how == "all of it":
        made = torch.compile(Net(), backend="eager")
    elif how == "in place":
        made = Net()
        made.compile(backend="eager")
    else:
        made = Net(lambda layer: torch.compile(layer, backend="eager"))
    made.eval()
    with torch.no_grad():
        made(tokens=INPUTS["tokens"])
    return made, "middle._orig_mod" if how == "middle" else "middle"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["all of it", "in place", "middle"])
def test_a_compiled_network_is_read_and_patched_as_it_was_written_and_named(how, tmp_path):
    made, middle = compiled(how)
    ours, plain = Subject(made), Subject(Net())
    site, zeros = f"{middle}:out", torch.zeros(20, 16)
    other = {"tokens": INPUTS["tokens"].flip(0)}
    for inputs in (INPUTS, other):
        assert torch.equal(ours.read(inputs, [site])[site], plain.read(inputs, ["middle:out"])["middle:out"])
    for new in (zeros, zeros + 1, zeros + 2):  # a second patch once compiled anew without end
        assert torch.equal(ours(INPUTS, replace={site: new}), plain(INPUTS, replace={"middle:out": new}))
    twin = ours.untrained(Generator().manual_seed(0))
    assert not torch.allclose(twin(INPUTS), ours(INPUTS), atol=1e-4)
    done = quick(made, "systematicity", "recombination")
    assert done.failed == ()
    assert [item.measures for item in done.evidence] == [
        item.measures for item in quick(Net(), "systematicity", "recombination").evidence
    ]
    (remark,) = done.subject.remarks
    assert remark.startswith("compiled (")
    assert remark in write_report(tmp_path, done).read_text()
    assert "original code was audited" in " ".join(summary_text(done).split())


@pytest.mark.slow
def test_a_site_of_a_compiled_network_may_be_named_as_the_wrapper_names_it():
    ours = Subject(compiled("all of it")[0])
    name = "_orig_mod.middle:out"
    assert torch.equal(ours.read(INPUTS, [name])[name], ours.read(INPUTS, ["middle:out"])["middle:out"])
    assert [site.name for site in ours.match("_orig_mod.middle", INPUTS)] == ["middle:out"]
    new = torch.zeros(20, 16)
    assert torch.equal(ours(INPUTS, replace={name: new}), ours(INPUTS, replace={"middle:out": new}))


@pytest.mark.slow
def test_inside_a_compiled_part_learned_buffers_are_found_and_initialisers_called_once():
    compiled_by, drawn = [], []

    def backend(graph, inputs):
        compiled_by.append(graph)
        return graph.forward

    class Counted(nn.Linear):
        def reset_parameters(self):
            drawn.append(self)
            super().reset_parameters()

    layers = nn.Sequential(
        Counted(16, 16), nn.BatchNorm1d(16), nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(16, 16)))
    )
    made = Net(lambda layer: nn.Sequential(layer, *(torch.compile(part, backend=backend) for part in layers)))
    drawn.clear()
    ours = Subject(made).with_running(INPUTS)
    assert {name.rpartition(".")[2] for name in ours.running} == {"running_mean", "running_var", "num_batches_tracked"}
    twin = ours.untrained(Generator().manual_seed(0))
    assert len(drawn) == 1
    assert not torch.allclose(twin(INPUTS), ours(INPUTS), atol=1e-4)
    assert compiled_by == []


@pytest.mark.slow
@pytest.mark.parametrize("how", ["all of it", "in place"])
def test_of_a_compiled_network_with_several_outputs_one_is_the_answer(how):
    class Two(Net):
        def forward(self, tokens):
            states = self.embed(tokens).flatten(1)
            return states, self.out(self.middle(states).relu())

    made = Two()
    made = torch.compile(made, backend="eager") if how == "all of it" else made
    made.compile(backend="eager")
    assert torch.equal(Subject(made, output="1")(INPUTS), Subject(Net())(INPUTS))
    done = quick(made, "systematicity")
    assert (done.failed, done.subject.output, len(done.subject.remarks)) == ((), "1", 1)


def test_a_plain_network_has_no_remark():
    assert Subject(Net()).remarks == ()


@pytest.mark.parametrize("how", ["script", "trace", "inside"])
def test_what_torch_jit_made_is_refused_by_name(how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated
        layer = nn.Linear(16, 16)
        scripted = torch.jit.script(layer) if how != "trace" else torch.jit.trace(layer, torch.zeros(2, 16))
    said = pytest.raises(AssayError, match=r"the inside of a torch\.jit module cannot be read or patched.*load_state_dict")
    if how != "inside":
        with said:
            Subject(scripted)
        return
    ours = Subject(Net(lambda layer: nn.Sequential(layer, scripted)))
    assert ours(INPUTS).shape == (20, CLASSES)
    actions = (
        lambda: quick(ours.module, "systematicity"),
        lambda: ours.sites(INPUTS),
        lambda: ours.read(INPUTS, ["middle.1:out"]),
        lambda: ours(INPUTS, replace={"middle.1:out": torch.zeros(20, 16)}),
    )
    for action in actions:
        with pytest.raises(AssayError, match=r"cannot be read or patched.*Given: middle\.1, a RecursiveScriptModule"):
            action()


def test_what_is_no_module_is_refused():
    with pytest.raises(AssayError, match=r"must be a torch\.nn\.Module\. Given: function"):
        original(lambda tokens: tokens)


# Copies


def _normed(layer: nn.Linear) -> nn.Linear:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old one is deprecated, and half of all speech models have it
        return nn.utils.weight_norm(layer)


@pytest.mark.parametrize("around", [_normed, nn.utils.spectral_norm])
@pytest.mark.parametrize("ran", [False, True])
def test_a_network_with_computed_weights_has_untrained_copies(around, ran):
    network = Net(around)
    if ran:
        network(**INPUTS).sum().backward()
    ours = Subject(network)
    one, same, other = (ours.untrained(Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one(INPUTS), same(INPUTS))
    assert not torch.allclose(one(INPUTS), other(INPUTS), atol=1e-4)
    assert not torch.allclose(one(INPUTS), ours(INPUTS), atol=1e-4)
    assert run(load_instrument("decodability"), ours, TASK, effort="quick").measures


def test_a_weight_norm_is_drawn_as_its_layer_draws_its_weight():
    network = Net(_normed)
    with torch.no_grad():
        network.middle.weight_g.fill_(100.0)  # learned
    twin = Subject(network).untrained(Generator().manual_seed(0)).module
    twin(**INPUTS)
    assert float(twin.middle.weight.detach().abs().max()) <= (8 * LENGTH) ** -0.5


def test_a_copy_shares_nothing_and_keeps_no_graph():
    class Cached(Net):
        def forward(self, tokens):
            self.cache = {"states": [self.embed(tokens)]}
            return super().forward(tokens)

    network = Cached()
    network(**INPUTS)
    twin = copied(network)
    (state,) = twin.cache["states"]
    assert state.is_leaf
    assert torch.equal(state, network.cache["states"][0])
    assert state.data_ptr() != network.cache["states"][0].data_ptr()
    with pytest.raises(RuntimeError, match="deepcopy"):
        copy.deepcopy(network)


@pytest.mark.parametrize("kept", [threading.Lock(), (k for k in range(2))], ids=["lock", "generator"])
def test_what_cannot_be_copied_is_named_with_the_way_out(kept):
    network = Net()
    network.middle.kept = kept
    with pytest.raises(AssayError, match=r"Given: middle\.kept: TypeError.*`fresh`"):
        Subject(network).untrained(Generator().manual_seed(0))
    done = quick(network, "systematicity")
    assert "middle.kept" in done.failed[0].reason


class Head(nn.Module):
    def __init__(self, std: float, fails: bool = False):
        super().__init__()
        self.weight, self.fails = nn.Parameter(torch.empty(CLASSES, 8 * LENGTH)), fails
        self.reset_parameters(std)

    def reset_parameters(self, std):
        nn.init.normal_(self.weight, std=std)

    def forward(self, states):
        return states @ self.weight.T


class Failing(Head):
    def reset_parameters(self, std=None):
        assert std is not None, "how wide?"
        super().reset_parameters(std)


class Headed(nn.Module):
    def __init__(self, head: type[nn.Module] = Head):
        super().__init__()
        self.embed, self.head = nn.Embedding(VOCABULARY, 8), head(0.02)

    def forward(self, tokens):
        return self.head(self.embed(tokens).flatten(1))


def test_an_initialiser_with_arguments_is_left_and_its_weights_are_shuffled():
    ours = Subject(Headed())
    weight = ours.untrained(Generator().manual_seed(0)).module.head.weight
    assert not torch.equal(weight, ours.module.head.weight)
    assert torch.equal(weight.flatten().sort().values, ours.module.head.weight.flatten().sort().values)


def test_an_initialiser_that_fails_is_named():
    with pytest.raises(AssayError, match=r"reset_parameters of head \(Failing\): AssertionError: how wide\?.*`fresh`"):
        Subject(Headed(Failing)).untrained(Generator().manual_seed(0))


# Numbers that are not finite


class Masked(Net):
    """What is added to the scores of attention is a buffer, and the scores pass through a module."""

    def __init__(self, fill: float = -torch.inf):
        super().__init__()
        self.register_buffer("ignore", torch.tensor(fill))
        self.softmax = nn.Softmax(-1)

    def forward(self, tokens):
        states = self.embed(tokens)
        causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
        mixed = self.softmax((states @ states.mT).where(causal, self.ignore)) @ states
        return self.out(self.middle(mixed.flatten(1)).relu())


def test_a_mask_of_infinity_is_no_weight_that_diverged_and_masked_scores_are_no_site():
    done = quick(Masked(), "systematicity", "decodability", "recombination")
    assert done.failed == ()
    assert done.integrity.holds
    names = [site.name for site in Subject(Masked()).sites(INPUTS)]
    assert "softmax:in" not in names
    assert "softmax:out" in names


def test_nan_in_a_buffer_and_infinity_in_a_weight_are_refused():
    with pytest.raises(AssayError, match="weight ignore must be finite"):
        quick(Masked(torch.nan))
    network = Masked()
    with torch.no_grad():
        network.middle.weight[0, 0] = torch.inf
    with pytest.raises(AssayError, match=r"weight middle\.weight must be finite"):
        quick(network)


def test_answers_masked_by_minus_infinity_are_told_what_to_do():
    class Without(Net):
        def forward(self, tokens):
            return super().forward(tokens).masked_fill(torch.arange(CLASSES) == 0, -torch.inf)

    with pytest.raises(AssayError, match=r"values are minus infinity.* minus infinity, such as that of a mask, by .* -1e4"):
        quick(Without(), "systematicity")


# State between calls


class Stateful(Net):
    """Adds something of the last batch."""

    def __init__(self, kept: str):
        super().__init__()
        self.kept, self.state = kept, None

    def forward(self, tokens):
        states = self.middle(self.embed(tokens).flatten(1))
        if self.state is not None:
            states = states + self.state
        self.state = states.mean(0) if self.kept == "mean" else states
        if self.kept == "mean":
            self.state = self.state.detach()
        return self.out(states.relu())


class Counting(Net):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, tokens):
        self.calls += 1
        return super().forward(tokens)


@pytest.mark.parametrize(("network", "name"), [(Stateful("mean"), "state"), (Counting(), "calls")])
def test_state_between_calls_is_found_and_named_and_nothing_crashes(network, name, tmp_path):
    done = quick(network, "systematicity", "recombination")
    assert done.failed == ()
    assert not done.integrity.holds
    assert done.integrity.kept == (name,)
    assert name in done.verdict.sentence
    assert done.integrity.failure in write_report(tmp_path, done).read_text().replace("&#39;", "'")


@pytest.mark.parametrize("counts", [False, True])
def test_what_is_drawn_is_no_state_and_a_counter_beside_it_is_no_more_than_a_guess(counts):
    class Noisy(Counting if counts else Net):
        def forward(self, tokens):
            self.last = F.dropout(super().forward(tokens), training=True)  # kept for whoever looks, and never used
            return self.last

    found = Subject(Noisy()).integrity(INPUTS)
    assert found.kept == (("calls",) if counts else ())
    assert f"draws at random or keeps {'calls' if counts else 'something'} from" in found.failure


def test_a_network_without_state_keeps_none():
    assert Subject(Net(nn.utils.spectral_norm)).integrity(INPUTS).kept == ()
    assert list(kept_tensors(nn.BatchNorm1d(2))) == ["running_mean", "running_var", "num_batches_tracked"]


def test_the_state_of_a_batch_of_another_size_is_named():
    with pytest.raises(AssayError, match=r"if it keeps state \(\d+, 16\) of the last batch, let forward begin without it"):
        quick(Stateful("rows"))


def test_many_stateful_networks_are_trained_one_by_one():
    networks = [Stateful("mean") for _ in range(3)]
    fit_many(networks, TASK, configs=[TrainingConfig(steps=3, batch_size=8, seed=k) for k in range(3)], strategy="rule")
    alone = Stateful("mean")
    fit_many([alone], TASK, configs=[TrainingConfig(steps=3, batch_size=8, seed=1)], strategy="loop")
    assert all(torch.equal(a, b) for a, b in zip(networks[1].parameters(), alone.parameters(), strict=True))
    assert all(network(**INPUTS).shape == (20, CLASSES) for network in networks), "no state is left of a batch of networks"


# No submodules, and no GPU


class Bare(nn.Module):
    def __init__(self):
        super().__init__()
        drawn = torch.Generator().manual_seed(0)
        self.embed = nn.Parameter(torch.randn(VOCABULARY, 8, generator=drawn))
        self.first = nn.Parameter(torch.randn(16, 8 * LENGTH, generator=drawn))
        self.second = nn.Parameter(torch.randn(CLASSES, 16, generator=drawn))

    def forward(self, tokens):
        return F.linear(F.relu(F.linear(self.embed[tokens].flatten(1), self.first)), self.second)


def test_every_instrument_runs_on_a_network_without_submodules_or_says_why_not():
    able = [instrument for instrument in all_instruments() if not missing_abilities(instrument, TASK)]
    found = [run(instrument, Subject(Bare()), TASK, effort="quick") for instrument in able]
    why = {item.instrument: item.not_enough for item in found if item.not_enough}
    assert set(why) == {"decodability", "recombination", "circuits"} == {item.instrument for item in found} - {"systematicity"}
    assert "the network has no" in why["decodability"]
    assert "can be held out" in why["recombination"], "it reads cuts, which need no submodules"


def test_gradients_without_a_site_or_a_dependence_are_empty_or_zero():
    class Named(Net):
        def forward(self, tokens):
            return F.one_hot(super().forward(tokens).argmax(-1), CLASSES).float()

    assert Subject(Bare()).gradients(INPUTS, [], torch.ones(20, CLASSES)) == {}
    (found,) = Subject(Named()).gradients(INPUTS, ["middle:out"], torch.ones(20, CLASSES)).values()
    assert torch.equal(found, torch.zeros(20, 16))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("how", ["cuda", "device", "to"])
def test_a_forward_that_asks_for_a_gpu_is_told_that_there_is_none(how):
    class Bound(Net):
        def forward(self, tokens):
            if how == "device":
                return super().forward(tokens) + torch.zeros(1, device="cuda")
            return super().forward(tokens.cuda() if how == "cuda" else tokens.to("cuda:0"))

    with pytest.raises(
        AssayError, match=r"this machine has no GPU\. Given: .*Next: write `tensor\.to\(x\.device\)` in forward"
    ):
        quick(Bound())


def test_whatever_a_forward_raises_is_told_with_what_it_was_given():
    class Broken(Net):
        def forward(self, tokens):
            raise KeyError("image")

    with pytest.raises(AssayError, match=r"keyword arguments.*tokens \(\d+, \d+\), which end in KeyError: 'image'"):
        quick(Broken())


def test_the_weights_of_a_recurrent_layer_are_nothing_of_the_last_batch():
    module = nn.GRU(4, 3, batch_first=True)
    error = forward_failed(module, {"tokens": torch.zeros(5, 2, 7)}, RuntimeError("wrong size"))
    assert "wrong size" in str(error)
    assert "last batch" not in str(error)
