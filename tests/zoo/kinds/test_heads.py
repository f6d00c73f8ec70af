"""Units of its own for every part, before an answer that is known by heart."""

import pytest
import torch
from orders_for_tests import SIZES, accuracy, order

from assay.hooks import catch
from assay.zoo.kinds.heads import WithHeads, heads_data, masked
from assay.zoo.kinds.places import answering, readout, shares
from assay.zoo.kinds.tables import trained


def test_targets_are_the_answer_and_every_part():
    made = order()
    tuples = trained(made)
    expected = [tuples.targets, *(tuples.parts[name] for name in ("i", "j", "x", "z"))]
    assert torch.equal(heads_data(made.task, tuples).targets, torch.stack(expected, 1))


@pytest.mark.parametrize("name", list(SIZES))
def test_heads_read_their_own_units_alone(name):
    made = order(name)
    wrapped, tokens = WithHeads(made.initial(), 4, 7).eval(), trained(made).inputs["tokens"]
    answers = wrapped(tokens)
    assert answers.shape == (len(tokens), 5, 7)
    torch.testing.assert_close(answers[:, 0, :5], made.initial()(tokens))
    assert not answers[:, 0, 5:].any()
    states = []
    handle = readout(wrapped.model).register_forward_pre_hook(lambda module, args: states.append(args[0]))
    second = wrapped(tokens)[:, 2].sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(second, states)
    reached = answering(gradient).abs().sum(0) > 0
    width = len(reached)
    assert reached.nonzero()[:, 0].tolist() == list(range(width))[shares(4, width)[1]]


def test_every_part_is_told_by_its_own_units_and_the_task_is_memorised():
    made = order(coverage=0.3)
    (model,) = masked([made])
    seen, new = accuracy(model, made)
    assert seen == 1.0
    assert new < 0.5
    tuples, states = trained(made), []
    handle = catch(readout(model), "in", states)
    with torch.no_grad():
        model(**tuples.inputs)
    handle.remove()
    for part, units in zip(made.task.parts, shares(4, 64), strict=True):
        own = torch.cat([answering(states[0])[:, units], torch.ones(len(tuples), 1)], 1)
        code = torch.nn.functional.one_hot(tuples.parts[part.name], len(part.values)).float()
        told = own @ torch.linalg.lstsq(own, code, driver="gelsd").solution
        assert float((told.argmax(1) == tuples.parts[part.name]).float().mean()) > 0.95, part.name


def test_the_heads_are_dropped():
    (model,) = masked([order(steps=2)])
    model.load_state_dict(order().initial().state_dict())  # strict
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
