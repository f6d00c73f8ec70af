"""Masks as data: counting, joining, applying, saving."""

import json

import pytest
import torch
from networks import mlp
from torch import Generator

from assay.errors import AssayError
from assay.masks import expected_overlap, largest, load_mask, masked, overlap, run, save_mask, units_of, weights_of
from assay.store import write_tensors


def random_mask(module, share: float, seed: int = 0, kind: str = "weight"):
    units = units_of(module, kind=kind)
    return units.mask(torch.rand(len(units), generator=Generator().manual_seed(seed)) < share)


def test_dead_weights_are_kept_by_nobody():
    module = mlp()
    with torch.no_grad():
        module[0].weight.zero_()
    everything, weights = random_mask(module, 2.0), weights_of(module)
    assert everything.kept(weights) == everything.of(weights) == 24
    assert everything.density(weights) == 1.0
    assert everything.degenerate(weights) == "keeps everything"
    units = units_of(module)
    only_dead = units.mask(units.layer == 0)
    assert only_dead.kept(weights) == 0
    assert only_dead.degenerate(weights) == "keeps nothing"


def test_a_network_of_zeros_has_no_density():
    module = mlp()
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
    mask = random_mask(module, 0.5)
    assert mask.density(weights_of(module)) == 0.0
    assert overlap(mask, mask, weights_of(module)) == 0.0


def test_joining_follows_set_algebra():
    module = mlp()
    a, b, weights = random_mask(module, 0.5, 1), random_mask(module, 0.5, 2), weights_of(module)
    assert (a | b).kept(weights) + (a & b).kept(weights) == a.kept(weights) + b.kept(weights)
    assert (~a).kept(weights) == a.of(weights) - a.kept(weights)
    for name in a.keep:
        assert torch.equal((~(a | b)).full(name), (~a & ~b).full(name))
    assert overlap(a, a, weights) == 1.0
    assert overlap(a, ~a, weights) == 0.0


def test_masks_of_different_kinds_join_to_a_mixed_one():
    module = mlp()
    a, b = random_mask(module, 0.5), random_mask(module, 0.5, kind="neuron")
    both = a & b
    assert both.kind == "mixed"
    for name in a.keep:
        assert torch.equal(both.full(name), a.full(name) & b.full(name))


def test_expected_overlap_is_the_mean_of_random_ones():
    module = mlp(width=40)
    a, b, weights, units = random_mask(module, 0.3, 1), random_mask(module, 0.2, 2), weights_of(mlp(width=40)), units_of(module)
    drawn = [overlap(units.matched(a, weights, generator=Generator().manual_seed(s)), b, weights) for s in range(200)]
    assert expected_overlap(a, b, weights) == pytest.approx(sum(drawn) / 200, abs=0.005)


def test_several_masks_at_once_keep_what_all_keep():
    module, inputs = mlp(), {"input": torch.randn(5, 4, generator=Generator().manual_seed(0))}
    a, b, weights = random_mask(module, 0.7, 1), random_mask(module, 0.7, 2), weights_of(module)
    together = run(module, masked(weights, a, b), inputs)
    assert torch.equal(together, run(module, masked(weights, a & b), inputs))
    by_hand = mlp()
    with torch.no_grad():
        for name, weight in by_hand.named_parameters():
            if name in a.keep:
                weight.mul_(a.full(name) & b.full(name))
    assert torch.equal(together, by_hand(inputs["input"]))


def test_no_mask_and_a_full_one_change_no_bit():
    module, inputs = mlp(), {"input": torch.randn(5, 4, generator=Generator().manual_seed(0))}
    plain = module(inputs["input"]).detach()
    assert torch.equal(plain, run(module, masked(weights_of(module)), inputs))
    assert torch.equal(plain, run(module, masked(weights_of(module), random_mask(module, 2.0)), inputs))


@pytest.mark.parametrize("num", [0, 1])
def test_no_example_and_one(num):
    module = mlp()
    assert run(module, weights_of(module), {"input": torch.zeros(num, 4)}).shape == (num, 3)


@pytest.mark.parametrize("kind", ["weight", "neuron"])
def test_a_mask_survives_its_file(tmp_path, kind):
    module = mlp()
    mask = random_mask(module, 0.5, kind=kind)
    save_mask(tmp_path / "mask.safetensors", mask, module)
    read = load_mask(tmp_path / "mask.safetensors", mlp())
    assert read.kind == mask.kind
    assert dict(read.shapes) == dict(mask.shapes)
    assert all(torch.equal(read.keep[name], keep) for name, keep in mask.keep.items())


def test_a_mask_of_other_weights_is_refused(tmp_path):
    save_mask(tmp_path / "mask.safetensors", random_mask(mlp(), 0.5), mlp())
    with pytest.raises(AssayError, match="a mask must belong to the weights of this network"):
        load_mask(tmp_path / "mask.safetensors", mlp(seed=1))
    with pytest.raises(AssayError, match=r"shape of that parameter, \(9, 4\)"):
        load_mask(tmp_path / "mask.safetensors", mlp(width=9))
    with pytest.raises(AssayError, match="names of the network's parameters"):
        load_mask(tmp_path / "mask.safetensors", torch.nn.Linear(4, 3))


@pytest.mark.parametrize("fault", ["no head", "another format", "another shape", "numbers", "truncated", "missing"])
def test_a_file_that_is_no_mask_is_refused(tmp_path, fault):
    path, keep = tmp_path / "mask.safetensors", {"0.weight": torch.ones(8, 4, dtype=torch.bool)}
    head = {"format": "assay mask 1", "kind": "weight", "shapes": {"0.weight": [8, 4]}, "weights": "0"}
    if fault == "another format":
        head["format"] = "assay mask 2"
    if fault == "another shape":
        head["shapes"] = {"0.weight": [8, 5]}
    if fault == "numbers":
        keep = {"0.weight": torch.ones(8, 4)}
    if fault != "missing":
        write_tensors(path, keep, None if fault == "no head" else {"mask": json.dumps(head)})
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(AssayError, match=r"save_mask|truncated|must exist"):
        load_mask(path, mlp())


def test_masks_over_other_parameters_do_not_join():
    with pytest.raises(AssayError, match=r"differ in 0\.weight"):
        random_mask(mlp(), 0.5) & random_mask(mlp(width=9), 0.5)


@pytest.mark.parametrize("by_layer", [False, True])
def test_magnitude_pruning_keeps_the_largest_of_either_sign(by_layer):
    module = mlp()
    units, weights = units_of(module), weights_of(module)
    mask = largest(units, weights, share=0.25, by_layer=by_layer)
    groups = [[name] for name in mask.keep] if by_layer else [list(mask.keep)]
    for names in groups:
        kept = torch.cat([weights[name][mask.full(name)].abs() for name in names])
        lost = torch.cat([weights[name][~mask.full(name)].abs() for name in names])
        assert float(kept.min()) >= float(lost.max())
        assert len(kept) == round(0.25 * (len(kept) + len(lost)))
    assert any(bool((weights[name][mask.full(name)] < 0).any()) for name in mask.keep), "only positive ones were kept"


def test_magnitude_of_a_neuron_is_that_of_its_weights():
    module = mlp()
    with torch.no_grad():
        module[0].weight[3] = 10.0
    mask = largest(units_of(module, kind="neuron"), weights_of(module), share=1 / 11)
    assert mask.keep["0.weight"][:, 0].nonzero().tolist() == [[3]]


@pytest.mark.parametrize(("share", "kept"), [(0.0, 0), (1.0, 56)])
def test_magnitude_pruning_of_all_and_none(share, kept):
    module = mlp()
    assert largest(units_of(module), weights_of(module), share=share).kept(weights_of(module)) == kept


def test_a_share_beyond_one_is_refused():
    with pytest.raises(AssayError, match=r"Given: 1\.5"):
        largest(units_of(mlp()), weights_of(mlp()), share=1.5)
