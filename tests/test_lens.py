"""Networks of TransformerLens and nnsight, with the packages themselves: `pip install 'assay[lens]'`. Without one its tests are
skipped by its name; tests/test_wrapped.py has modules of the same shape."""

import copy
import sys

import pytest
import torch
from torch import Generator, nn

import assay
from assay.instrument import run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # theirs are not ours to mend

TASK = "modular-addition:p=7,coverage=0.7"
SIZES = {"n_layers": 1, "d_model": 32, "n_ctx": 4, "d_head": 16, "n_heads": 2, "d_mlp": 64, "act_fn": "relu", "seed": 0}


class AnswersLast(nn.Module):
    """The logits behind the last token."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, tokens):
        return self.model(tokens)[:, -1]


@pytest.fixture(scope="module")
def task():
    return assay.load_task(TASK)


@pytest.fixture(scope="module")
def inputs(task):
    return task.examples("seen", 10**4, generator=Generator().manual_seed(0)).inputs


def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(14, 16), nn.Flatten(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 7))


def systematicity(subject, task):
    return run(assay.load_instrument("systematicity"), subject, task, effort="quick")


@pytest.fixture(scope="module")
def bridge():
    pytest.importorskip("transformer_lens")
    from transformer_lens.model_bridge.sources.native import boot

    return AnswersLast(boot({**SIZES, "d_vocab": 14, "d_vocab_out": 7}))


def test_a_bridge_of_transformer_lens_is_read_and_audited(bridge, task, inputs):
    before = {name: weight.clone() for name, weight in bridge.state_dict().items()}
    with torch.no_grad():
        logits, cache = bridge.model.run_with_cache(inputs["tokens"])
    subject = assay.Subject(bridge)
    assert torch.equal(subject(inputs), logits[:, -1])
    (site,) = (one for one in subject.places(inputs) if one.endswith("attn.hook_pattern:out"))
    assert torch.equal(subject.read(inputs, [site])[site], cache["blocks.0.attn.hook_pattern"])
    assert subject.integrity(inputs).holds
    names = ("systematicity", "decodability", "recombination")
    instruments = [assay.load_instrument(name) for name in names]
    result = assay.audit(subject, task, effort="quick", instruments=instruments, progress=None)
    assert not result.failed
    assert all(torch.equal(before[name], weight) for name, weight in bridge.state_dict().items())
    again, _ = bridge.model.run_with_cache(inputs["tokens"])
    assert torch.equal(again, logits), "its own hooks work as before"


def test_the_only_input_of_a_bridge_needs_no_wrapper(bridge, inputs):
    subject = assay.Subject(bridge.model)
    assert torch.equal(subject(inputs)[:, -1], assay.Subject(bridge)(inputs))


def test_a_bridge_over_a_hugging_face_model_answers_as_the_model(inputs, tmp_path):
    pytest.importorskip("transformer_lens")
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=14, n_positions=8, n_embd=32, n_layer=1, n_head=2)).eval()
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        logits = model(inputs["tokens"]).logits
    bridged = TransformerBridge.boot_transformers(str(tmp_path), hf_model=copy.deepcopy(model))
    assert torch.allclose(assay.Subject(bridged)(inputs), logits, atol=1e-5)


def test_hook_points_of_transformer_lens_change_no_number(task, inputs):
    pytest.importorskip("transformer_lens")
    from transformer_lens import HookedRootModule
    from transformer_lens.hook_points import HookPoint

    class Hooked(HookedRootModule):
        def __init__(self, layers):
            super().__init__()
            self.layers, self.hook_hidden = layers, HookPoint()
            self.setup()

        def forward(self, tokens):
            return self.layers[4](self.hook_hidden(self.layers[:4](tokens)))

    hooked = assay.Subject(Hooked(plain()))
    assert any(one.startswith("hook_hidden") for one in hooked.places(inputs))
    assert torch.equal(hooked(inputs), assay.Subject(plain())(inputs))
    values = [systematicity(one, task).measure("seen_score").value for one in (hooked, assay.Subject(plain()))]
    assert values[0] == values[1]


def test_an_object_of_nnsight_is_audited_and_traces_as_before(task, inputs):
    nnsight = pytest.importorskip("nnsight")
    network = plain()
    traced = nnsight.NNsight(network)

    def hidden():
        with traced.trace(inputs["tokens"]):
            found = traced[3].output.save()
        return found

    before = hidden()
    subject = assay.Subject(traced)
    assert subject.module is network
    assert torch.equal(subject.read(inputs, ["3:out"])["3:out"], before)
    assert systematicity(subject, task) == systematicity(assay.Subject(plain()), task)
    assert torch.equal(hidden(), before)
    assert "nnsight" in sys.modules
