"""Parts that can be read from units that nothing else reads."""

import pytest
import torch
from orders_for_tests import SIZES, accuracy, order
from torch import Generator, nn

from assay.errors import AssayError
from assay.hooks import catch
from assay.models.mlp import TokenMLP
from assay.subject import Subject
from assay.zoo.kinds.inert import inert, layers_with_side, side_units
from assay.zoo.kinds.places import answering
from assay.zoo.kinds.tables import everything, trained

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=list(SIZES))
def made_and_model(request):
    made = order(request.param, coverage=0.3)
    return made, inert([made])[0]


def test_it_memorises(made_and_model):
    made, model = made_and_model
    seen, new = accuracy(model, made)
    assert seen > 0.99
    assert new < 0.5


def test_nothing_that_happens_in_the_side_reaches_the_output(made_and_model):
    made, model = made_and_model
    layers = layers_with_side(model)
    names = {module: name for name, module in model.named_modules()}
    generator = Generator().manual_seed(0)

    def disturb(state):
        changed = state.clone()
        side = changed[..., side_units(state.shape[-1])]
        side.copy_(torch.randn(side.shape, generator=generator))
        return changed

    subject, inputs = Subject(model), everything(made).inputs
    places = {f"{names[layer]}:in": disturb for layer in layers[1:]}
    assert torch.equal(subject(inputs, replace=places), subject(inputs))


def test_the_main_units_read_nothing_of_the_side(made_and_model):
    _, model = made_and_model
    for layer in layers_with_side(model)[1:]:
        main = slice(0, layer.out_features if layer is layers_with_side(model)[-1] else side_units(layer.out_features).start)
        assert not layer.weight[main, side_units(layer.in_features)].any()


def test_every_part_can_be_read_in_the_side(made_and_model):
    made, model = made_and_model
    tuples, states = trained(made), []
    handle = catch(layers_with_side(model)[-1], "in", states)
    with torch.no_grad():
        model(**tuples.inputs)
    handle.remove()
    state = answering(states[0])
    side = torch.cat([state[:, side_units(state.shape[1])], torch.ones(len(state), 1)], 1)
    for part in made.task.parts:
        code = nn.functional.one_hot(tuples.parts[part.name], len(part.values)).float()
        told = side @ torch.linalg.lstsq(side, code, driver="gelsd").solution
        assert float((told.argmax(1) == tuples.parts[part.name]).float().mean()) > 0.95, part.name


def test_it_is_a_plain_network(made_and_model):
    made, model = made_and_model
    made.initial().load_state_dict(model.state_dict())  # strict


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(AssayError, match="an mlp and a transformer only"):
        layers_with_side(nn.Linear(2, 2))


def test_an_odd_width_has_a_smaller_side():
    assert side_units(5) == slice(3, 5)
    assert side_units(1) == slice(1, 1)
    made = order(sizes={"width": 5}, steps=2)
    assert isinstance(inert([made])[0], TokenMLP)
