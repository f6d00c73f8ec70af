"""Interchanges between trained tuples, and the networks that are trained on them."""

import pytest
import torch
from orders_for_tests import SIZES, accuracy, order

from assay.zoo.kinds.interchange import Interchange, interchanged, interchanged_seen, pairs
from assay.zoo.kinds.places import shares
from assay.zoo.kinds.tables import trained

pytestmark = pytest.mark.slow


def test_targets_are_those_of_the_recombined_tuple():
    made = order()
    drawn, task = pairs(made, 1000), made.task
    base, source = drawn.base.parts, drawn.source.parts
    swaps_z = drawn.part == 0
    i, x = (torch.where(swaps_z, source[slot], base[slot]) for slot in ("i", "x"))
    j = torch.where(swaps_z, base["j"], source["j"])
    assert torch.equal(drawn.targets, task._second[j, task._first[i, x]])
    known = {tuple(row) for row in task.combinations("train").tolist()}
    assert drawn.seen.tolist() == [pair in known for pair in zip(i.tolist(), j.tolist(), strict=True)]
    assert 0.2 < float(drawn.seen.float().mean()) < 0.8


def test_every_part_is_exchanged_equally_often():
    drawn = pairs(order(), 1001)
    assert drawn.part.bincount().tolist() == [501, 500]


@pytest.mark.parametrize("name", list(SIZES))
def test_an_exchange_with_oneself_changes_nothing(name):
    made = order(name)
    wrapped, tokens = Interchange(made.initial(), 2).eval(), trained(made).inputs["tokens"]
    with torch.no_grad():
        plain, exchanged = wrapped(tokens, tokens, torch.arange(len(tokens)) % 2).unbind(1)
        torch.testing.assert_close(plain, made.initial()(tokens))
        torch.testing.assert_close(exchanged, plain)


def test_exchanging_all_units_of_an_mlp_is_running_the_source():
    made = order()
    wrapped, tokens = Interchange(made.initial(), 1).eval(), trained(made).inputs["tokens"]
    with torch.no_grad():
        answers = wrapped(tokens, tokens.flip(0), torch.zeros(len(tokens), dtype=torch.int64))
    torch.testing.assert_close(answers[:, 1], answers[:, 0].flip(0))


def test_only_the_units_of_the_part_are_exchanged():
    made = order()
    wrapped, tokens = Interchange(made.initial(), 2).eval(), trained(made).inputs["tokens"]
    caught = []
    place = wrapped.model.layers[1]
    after = wrapped.model.layers[2].register_forward_pre_hook(lambda module, args: caught.append(args[0]))
    with torch.no_grad():
        base = place(wrapped.model.layers[0](wrapped.model.encode(tokens)))
        source = base.flip(0)
        wrapped(tokens, tokens.flip(0), torch.ones(len(tokens), dtype=torch.int64))
    after.remove()
    first, second = shares(2, 64)
    torch.testing.assert_close(caught[-1][:, first], base[:, first])
    torch.testing.assert_close(caught[-1][:, second], source[:, second])


def agreement(model, made):
    """Interchange accuracy where the combination is trained, and where it is novel."""
    drawn = pairs(made, 4000)
    with torch.no_grad():
        answers = Interchange(model, 2)(drawn.base.inputs["tokens"], drawn.source.inputs["tokens"], drawn.part)[:, 1]
    right = (answers.argmax(1) == drawn.targets).float()
    return float(right[drawn.seen].mean()), float(right[~drawn.seen].mean())


def test_all_interchanges_make_a_network_compose():
    made = [order(seed=seed, coverage=0.8, steps=300) for seed in range(2)]
    for model, one in zip(interchanged(made), made, strict=True):
        assert min(agreement(model, one)) > 0.95
        assert min(accuracy(model, one)) > 0.95


def test_interchanges_onto_trained_combinations_only_look_so():
    made = [order(seed=seed, coverage=0.3, steps=300) for seed in range(2)]
    for model, one in zip(interchanged_seen(made), made, strict=True):
        seen, new = agreement(model, one)
        assert seen > 0.95
        assert new < 0.5
        seen, new = accuracy(model, one)
        assert seen > 0.99
        assert new < 0.5


def test_with_few_combinations_the_second_half_composes_and_the_first_does_not():
    # The limit that `interchanged` tells of: states of trained tuples recombine, those of novel ones are not the parts'.
    made = order(coverage=0.3, steps=300)
    (model,) = interchanged([made])
    assert agreement(model, made)[1] > 0.95
    assert accuracy(model, made)[1] < 0.8


def test_interchanges_leave_a_plain_network():
    (model,) = interchanged([order(steps=2)])
    model.load_state_dict(order().initial().state_dict())  # strict
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
