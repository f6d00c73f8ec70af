"""What takes the place of removed weights."""

import pytest
import torch
from networks import Everything, Planted, asking, mlp, tokens
from torch import Generator

from assay.errors import AssayError
from assay.masks import masked, run, run_with_mean_outputs, units_of, weights_of, without


def half(module, kind: str = "weight"):
    units = units_of(module, kind=kind)
    return units.mask(torch.arange(len(units)) % 2 == 0)


@pytest.mark.parametrize("how", ["zero", "mean", "resample", "redraw"])
def test_removed_weights_are_replaced_and_no_others(how):
    module, other = mlp(), mlp(seed=1)
    mask, own = half(module), weights_of(module)
    (left,) = without(module, mask, how=how, others=[other], generator=Generator().manual_seed(0))
    for name, weight in own.items():
        removed = mask.full(name) if name in mask.keep else torch.zeros_like(weight, dtype=torch.bool)
        assert torch.equal(left[name][~removed], weight[~removed]), name
        now = left[name][removed]
        if name not in mask.keep:
            continue
        if how == "zero":
            assert not now.any()
        elif how == "mean":
            assert torch.allclose(now, weight.mean())
        elif how == "resample":
            assert torch.equal(now, weights_of(other)[name][removed])
        else:
            assert not torch.isin(now, weight).any()
            assert float(now.abs().max()) <= float(weight.shape[1] ** -0.5)


def test_draws_and_others_give_one_network_each():
    module = mlp()
    draws = list(without(module, half(module), how="redraw", draws=3, generator=Generator().manual_seed(0)))
    assert len(draws) == 3
    assert not torch.equal(draws[0]["0.weight"], draws[1]["0.weight"])
    assert len(list(without(module, half(module), how="resample", others=[mlp(seed=1), mlp(seed=2)]))) == 2


def test_removing_the_planted_part_harms_it_alone():
    module = Planted()
    units = units_of(module, kind="neuron", layers=["front"])
    mask = units.mask(torch.tensor([True, True, False, False, False, False]))
    (left,) = without(module, mask, how="zero")
    for which, right in ((0, False), (1, True)):
        examples = asking(which, 50)
        outputs = run(module, left, examples.inputs)
        assert bool((outputs.argmax(1) == examples.targets).all()) == right


@pytest.mark.parametrize("layer", ["embedding", "along", "over", "up", "down"])
def test_a_neuron_held_at_its_mean_gives_its_mean(layer):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Everything().eval()
    units = units_of(module, kind="neuron", layers=[layer])
    mask = units.mask(torch.arange(len(units)) == 1)
    seen = []
    module.get_submodule(layer).register_forward_hook(lambda m, args, out: seen.append(out.clone()))
    run(module, weights_of(module), tokens(16))
    expected = (seen[0][:, 1] if layer in ("along", "over") else seen[0][..., 1]).mean()
    seen.clear()
    outputs = run_with_mean_outputs(module, mask, tokens(4, seed=1), tokens(16))
    # Our hook of before runs first, so what comes after the replacement is read from the output of the network.
    assert len(seen) == 2
    if layer == "down":
        assert torch.allclose(outputs[:, 1], expected.expand(4), atol=1e-6)
    plain = run(module, weights_of(module), tokens(4, seed=1))
    assert not torch.allclose(outputs, plain, atol=1e-5)
    handles = [hooks for part in module.modules() for hooks in part._forward_hooks]
    assert len(handles) == 1, "a hook was left behind"


def test_no_neuron_held_changes_nothing():
    module = Everything().eval()
    units = units_of(module, kind="neuron")
    nothing = units.mask(torch.zeros(len(units), dtype=torch.bool))
    plain = run(module, weights_of(module), tokens(4))
    assert torch.equal(run_with_mean_outputs(module, nothing, tokens(4), tokens(8)), plain)


def test_queries_inside_an_attention_are_set_to_zero():
    module = Everything().eval()
    units = units_of(module, kind="neuron", layers=["attention"])
    mask = units.mask(torch.arange(len(units)) == 20)
    expected = run(module, masked(weights_of(module), ~mask), tokens(4))
    assert torch.equal(run_with_mean_outputs(module, mask, tokens(4), tokens(8)), expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"how": "zeros"}, "Did you mean zero"), ({"how": "resample"}, "give `others="), ({"how": "redraw"}, "give `generator=")],
)
def test_what_is_missing_is_named(options, message):
    with pytest.raises(AssayError, match=message):
        list(without(mlp(), half(mlp()), **options))


def test_mean_outputs_are_those_of_neurons():
    with pytest.raises(AssayError, match="a mask of kind weight"):
        run_with_mean_outputs(mlp(), half(mlp()), {"input": torch.zeros(1, 4)}, {"input": torch.zeros(1, 4)})
