"""Networks and declarations that have no number: each is named, and none ends in a traceback."""

from dataclasses import replace

import contexts
import pytest
import torch
from torch import Generator, nn

from assay.audit import audit
from assay.errors import AssayError
from assay.evidence import Evidence
from assay.instrument import run
from assay.instruments.fracture import Fracture
from assay.instruments.fracture import instrument as fracture
from assay.regularity import Regular, Regularity
from assay.report import write_report
from assay.responses import overlap_of_weights, read_layers
from assay.subject import Subject
from assay.verdict import judge

SMALL = {"quick": replace(fracture.BUDGETS["quick"], examples=120, draws=1, scales=(0.1,), shuffles=2, copies=2)}
TASK = contexts.Sides("contexts", items=40)


def planted() -> tuple[contexts.Net, list[nn.Linear]]:
    network = contexts.shared(TASK, Generator().manual_seed(0))
    return network, [layer for layer in network.layers if isinstance(layer, nn.Linear)]


def read(network: nn.Module, task: contexts.Sides = TASK) -> Evidence:
    fresh = lambda generator: contexts.untrained(TASK, generator)  # noqa: E731
    return run(Fracture(budgets=SMALL), Subject(network, fresh=fresh), task, effort="quick")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_give_none(value):
    network, layers = planted()
    with torch.no_grad():
        layers[1].weight[0, 0] = value
    found = read(network)
    assert "infinite or NaN" in found.not_enough
    assert not found.measures


def test_responses_that_are_infinite_give_no_number():
    network, layers = planted()
    with torch.no_grad():
        layers[1].weight.mul_(1e-30)
        layers[1].bias.zero_()
        layers[2].weight.mul_(1e38)
        layers[3].weight.mul_(1e30)
    found = read(network)
    assert "infinite or NaN" in found.not_enough


@pytest.mark.slow
def test_outputs_that_do_not_vary_are_no_shared_thing():
    """All responses are those of the last bias, which are alike everywhere."""
    network, layers = planted()
    with torch.no_grad():
        layers[-1].weight.zero_()
    found = read(network)
    assert found.measure("sharing").value == 1
    assert "not resolved, since the outputs do not vary" in found.summary
    assert "The outputs do not vary: coherence says nothing about the inside of the network." in found.warnings
    sharing = judge([found]).sharing
    assert sharing.answer == "not resolved"
    assert sharing.because.startswith("the outputs do not vary. ")


class Empty(nn.Module):
    """A layer without inputs, which gives its bias, beside another; and one without outputs."""

    def __init__(self):
        super().__init__()
        self.none, self.nowhere, self.own = (nn.utils.skip_init(nn.Linear, *sizes) for sizes in ((0, 3), (6, 0), (6, 3)))
        with torch.no_grad():
            for number, weight in enumerate(self.parameters()):
                weight.copy_(torch.randn(weight.shape, generator=Generator().manual_seed(number)))

    def forward(self, x):
        return self.none(x[:, :0]) + self.own(x) + self.nowhere(x).sum(1, keepdim=True)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_a_layer_without_inputs_is_its_bias():
    found = read_layers(Subject(Empty()), {"x": TASK.x})
    energies = {layer.name: overlap_of_weights(layer) for layer in found.layers}
    assert energies["none"].tolist() == [[len(TASK.x)]] * 3
    assert energies["nowhere"].shape == (0, 7)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Initializing zero-element")
def test_layers_without_inputs_or_outputs_are_read():
    found = run(Fracture(budgets=SMALL), Subject(Empty()), TASK, effort="quick")
    assert found.measure("coherence").value is not None


def test_a_single_layer_is_told_where_to_put_it():
    with pytest.raises(AssayError, match=r"put a single layer into torch\.nn\.Sequential"):
        read_layers(Subject(nn.Linear(6, 3)), {"x": TASK.x})


# Declarations


def declared(num: int, **changed) -> Regular:
    found = TASK.regular(num, generator=Generator().manual_seed(0))
    return replace(found, **changed)


def test_what_is_declared_of_other_examples_is_named():
    (one,) = declared(120).regularities
    with pytest.raises(AssayError, match="must have different names"):
        declared(120, regularities=(one, one))
    short = Regularity.generated("short", [torch.tensor([1, 0, 2])], num_outputs=3)
    with pytest.raises(AssayError, match="short of 3 examples, and there are 120"):
        declared(120, regularities=(short,))
    with pytest.raises(AssayError, match="part left of 3 examples, and there are 120"):
        declared(120, parts={"left": torch.zeros(3, 3, dtype=torch.bool)})


class Declaring(contexts.Sides):
    """The same task with parts of other widths, or with other names."""

    def __init__(self, how: str):
        super().__init__("contexts", items=40)
        self.how = how

    def regular(self, n, *, generator):
        found = super().regular(n, generator=generator)
        if self.how == "parts of all outputs":
            return replace(found, parts={name: mask[:, :1] for name, mask in found.parts.items()})
        if self.how == "parts of two outputs":
            return replace(found, parts={name: mask[:, :2] for name, mask in found.parts.items()})
        (one,) = found.regularities
        parts = {"<u>item": found.examples.parts["item"], "<script>alert(1)</script>": found.examples.parts["side"]}
        masks = {f"<i>{name}": mask for name, mask in found.parts.items()}
        return Regular(replace(found.examples, parts=parts), (replace(one, name="<img src=x onerror=alert(2)>"),), masks)


@pytest.mark.slow
def test_parts_are_of_every_output_or_of_all():
    network, _ = planted()
    assert read(network, Declaring("parts of all outputs")).measure("entanglement").value is not None
    with pytest.raises(AssayError, match=r"the part 'side 0' must say of each output.*2 outputs, and the network has 3"):
        read(network, Declaring("parts of two outputs"))


@pytest.mark.slow
def test_names_are_shown_and_not_obeyed(tmp_path):
    task = Declaring("names")
    network, _ = planted()
    found = audit(Subject(network), task, effort="quick", instruments=[Fracture(budgets=SMALL)], progress=None)
    assert found.verdict.sharing.answer == "one shared thing"
    assert "<script>alert(1)</script>" in found.verdict.sentence
    write_report(tmp_path, found)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert not any(name in page for name in ("<script>alert", "<img src=x", "<u>item", "<i>side"))
