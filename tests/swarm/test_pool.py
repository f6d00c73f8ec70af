"""Pools: what coefficients make of experts, by a second route, and what is refused, by name."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Generator, nn
from worlds_for_tests import CLASSES, WIDE, factors, low_rank_expert, network, pool_of

from assay.errors import AssayError
from assay.swarm.expert import Expert, Factors, difference, lora, read_expert
from assay.swarm.pool import ExpertPool

C = [0.7, -0.4, 1.2]


def whole(expert: Expert, base: nn.Module) -> dict[str, torch.Tensor]:
    """The expert's own weights, by adding its product to the base."""
    own = dict(base.state_dict())
    for name, change in expert.changes.items():
        own[name] = own[name] + change.scale * change.up @ change.down
    return own


@pytest.mark.parametrize("space", ["delta", "full"])
def test_changes_add(space):
    base, pool = network(), pool_of(space=space)
    own = [whole(low_rank_expert(k), base) for k in range(3)]
    found = pool.weights(C)
    for name, tensor in base.state_dict().items():
        by_hand = tensor + sum(c * (each[name] - tensor) for c, each in zip(C, own, strict=True))
        torch.testing.assert_close(found[name], by_hand, rtol=0, atol=1e-12)


def test_coefficient_one_is_the_expert_and_minus_one_takes_it_away():
    pool, base = pool_of(), network()
    torch.testing.assert_close(pool.weights([0, 1, 0])["0.weight"], whole(low_rank_expert(1), base)["0.weight"])
    twice = ExpertPool(base, {"a": low_rank_expert(1), "b": low_rank_expert(1)})
    torch.testing.assert_close(twice.weights([1, -1])["0.weight"], base.state_dict()["0.weight"], atol=1e-12, rtol=0)


def test_order_does_not_matter():
    first = pool_of().weights(C)
    second = ExpertPool(network(), {f"e{k}": low_rank_expert(k) for k in (2, 0, 1)}).weights([C[2], C[0], C[1]])
    torch.testing.assert_close(first["2.weight"], second["2.weight"])


def test_factor_space_has_cross_terms_and_delta_space_has_not():
    pool = pool_of(space="factor")
    own = [low_rank_expert(k).changes["0.weight"] for k in range(3)]
    up, down = (sum(c * getattr(each, side) for c, each in zip(C, own, strict=True)) for side in ("up", "down"))
    torch.testing.assert_close(pool.changes(C)["0.weight"], own[0].scale * up @ down, rtol=0, atol=1e-12)
    assert (pool.changes(C)["0.weight"] - pool_of().changes(C)["0.weight"]).abs().max() > 0.1
    one = [0.0, 1.0, 0.0]  # alone an expert is itself in every space
    torch.testing.assert_close(pool.changes(one)["0.weight"], pool_of().changes(one)["0.weight"])


def test_other_factors_of_one_change_matter_in_factor_space_alone():
    turn = torch.tensor([[2.0, 1.0], [0.0, 0.5]], dtype=torch.float64)
    plain, turned = low_rank_expert(0), low_rank_expert(0)
    change = plain.changes["0.weight"]
    other = Factors(down=turn @ change.down, up=change.up @ torch.linalg.inv(turn), scale=change.scale)
    turned = Expert(changes={**plain.changes, "0.weight": other})
    for space, same in (("delta", True), ("factor", False)):
        pools = [ExpertPool(network(), {"a": one, "b": low_rank_expert(1)}, space=space) for one in (plain, turned)]
        first, second = (pool.changes([0.5, 0.5])["0.weight"] for pool in pools)
        assert torch.allclose(first, second) == same


@pytest.mark.parametrize(("space", "rank"), [("delta", 6), ("factor", 2)])
def test_a_candidate_is_one_adapter(space, rank):
    pool = pool_of(space=space)
    for weight, change in pool.factors(C).items():
        assert change.down.shape[0] == rank
        torch.testing.assert_close(change.dense(), pool.changes(C)[weight], rtol=0, atol=1e-12)


def test_gram_is_that_of_the_dense_changes():
    pool = pool_of()
    flat = torch.stack([torch.cat([c.flatten() for c in pool.changes(row).values()]) for row in np.eye(3)])
    np.testing.assert_allclose(pool.gram(), (flat @ flat.T).numpy(), atol=1e-12)
    np.testing.assert_allclose(pool_of(space="full").gram(), pool.gram(), atol=1e-12)


def test_mixed_ranks_and_weights_that_some_lack():
    few = Expert(changes={"0.weight": factors(Generator().manual_seed(9), 8, WIDE, rank=1)})
    pool = ExpertPool(network(), {"a": low_rank_expert(0), "b": few})
    torch.testing.assert_close(pool.changes([0, 2])["0.weight"], 2 * few.changes["0.weight"].dense())
    assert not pool.changes([0, 2])["2.weight"].any()
    with pytest.raises(AssayError, match=r"LoRA factors of one rank and one scale.*space='delta'"):
        ExpertPool(network(), {"a": low_rank_expert(0), "b": few}, space="factor")


def test_noise_has_the_norms_and_inner_products_of_factors_and_none_of_the_directions():
    pool = pool_of()
    noise = pool.noise(Generator().manual_seed(0))
    np.testing.assert_allclose(np.diag(noise.gram()), np.diag(pool.gram()), rtol=1e-9)
    apart = [(noise.changes(row)["0.weight"] - pool.changes(row)["0.weight"]).norm() for row in np.eye(3)]
    assert min(apart) > 0.1
    assert pool.with_noise(2, Generator().manual_seed(0)).names == ("e0", "e1", "e2", "noise 0", "noise 1")
    assert pool.without("e1").names == ("e0", "e2")


# What is read


def write_peft(folder, *, rank=2, alpha=4.0, prefix="base_model.model.", extra=None, **config):
    rng = Generator().manual_seed(3)
    tensors = {
        f"{prefix}0.lora_A.weight": torch.randn(rank, WIDE, generator=rng),
        f"{prefix}0.lora_B.weight": torch.randn(8, rank, generator=rng),
        **(extra or {}),
    }
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    plain = {"peft_type": "LORA", "r": rank, "lora_alpha": alpha, "bias": "none", "base_model_name_or_path": "a/base"}
    (folder / "adapter_config.json").write_text(json.dumps({**plain, **config}))
    return folder, tensors


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 2.0),
        ({"use_rslora": True}, 4 / 2**0.5),
        ({"alpha_pattern": {"0": 6.0}}, 3.0),
        ({"alpha_pattern": {"10": 6.0}}, 2.0),
    ],
)
def test_a_peft_folder_is_scaled_as_peft_scales_it(tmp_path, config, scale):
    folder, tensors = write_peft(tmp_path / "expert", **config)
    change = read_expert(folder).changes["0.weight"]
    by_hand = scale * tensors["base_model.model.0.lora_B.weight"] @ tensors["base_model.model.0.lora_A.weight"]
    torch.testing.assert_close(change.dense(), by_hand)


def test_trained_biases_are_differences_from_the_base(tmp_path):
    bias = torch.arange(8.0)
    folder, _ = write_peft(tmp_path / "expert", bias="lora_only", extra={"base_model.model.0.bias": bias})
    pool = ExpertPool(network().float(), {"a": folder, "b": low_rank_expert(0)})
    torch.testing.assert_close(pool.weights([1.0, 0.0])["0.bias"], bias)
    assert list(pool.dense) == ["0.bias"]


def test_transposed_weights_are_changed_as_they_are_stored(tmp_path):
    folder, tensors = write_peft(tmp_path / "expert", fan_in_fan_out=True)
    base = {"0.weight": torch.zeros(WIDE, 8)}
    change = ExpertPool(base, {"a": folder, "b": folder}).changes([1.0, 0.0])["0.weight"]
    by_hand = 2.0 * tensors["base_model.model.0.lora_B.weight"] @ tensors["base_model.model.0.lora_A.weight"]
    torch.testing.assert_close(change, by_hand.T)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"use_dora": True}, "must not have use_dora: DoRA rescales"),
        ({"modules_to_save": ["head"]}, "must not have modules_to_save"),
        ({"lora_bias": True}, "must not have lora_bias"),
        ({"trainable_token_indices": [3]}, "must not have trainable_token_indices"),
        ({"peft_type": "IA3"}, "of the type LORA. Given: IA3"),
        ({"init_lora_weights": "pissa_niter_16"}, "must have changed the same base. Given: init_lora_weights=pissa_niter_16"),
        ({"alpha_pattern": {"(a+)+$": 1}}, "must be the name of a module"),
    ],
)
def test_what_would_be_wrong_is_refused_by_name(tmp_path, config, told):
    folder, _ = write_peft(tmp_path / "expert", **config)
    with pytest.raises(AssayError) as error:
        read_expert(folder)
    assert told in str(error.value)


def test_embeddings_and_halves_are_refused(tmp_path):
    folder, _ = write_peft(tmp_path / "a", extra={"base_model.model.e.lora_embedding_A": torch.ones(2, 3)})
    with pytest.raises(AssayError, match="factors of linear layers"):
        read_expert(folder)
    folder, _ = write_peft(tmp_path / "b", extra={"base_model.model.2.lora_A.weight": torch.ones(2, 8)})
    with pytest.raises(AssayError, match=r"two factors.*Given: 2 in .*lora_A of shape \(2, 8\)"):
        read_expert(folder)
    with pytest.raises(AssayError, match=r"hold adapter_config.json"):
        read_expert(tmp_path)
    save_file({"0.lora_A.weight": torch.ones(2, 3)}, tmp_path / "alone.safetensors")
    with pytest.raises(AssayError, match="needs its configuration"):
        read_expert(tmp_path / "alone.safetensors")


def test_whole_weights_from_a_file(tmp_path):
    base, other = network(0), network(1)
    save_file(other.state_dict(), tmp_path / "other.safetensors")
    save_file(base.state_dict(), tmp_path / "base.safetensors")
    pool = ExpertPool(
        tmp_path / "base.safetensors", {"a": tmp_path / "other.safetensors", "b": base.state_dict()}, space="full"
    )
    torch.testing.assert_close(pool.weights([1.0, 0.0])["2.bias"], other.state_dict()["2.bias"])


def bad_state(**changed):
    return difference({**network(1).state_dict(), **changed})


def one_change(down):
    return lora({"0.lora_A.weight": down, "0.lora_B.weight": torch.ones(8, 1)}, alpha=1.0)


@pytest.mark.parametrize(
    ("expert", "told"),
    [
        (lambda: bad_state(**{"2.weight": torch.ones(CLASSES + 1, 8)}), "2.weight of expert b is (5, 8) and (4, 8)"),
        (lambda: bad_state(**{"3.weight": torch.ones(1)}), "Given: 3.weight of expert b"),
        (lambda: difference({"0.weight": torch.ones(8, WIDE)}), "every weight of the base. Given: expert b without 0.bias"),
        (lambda: bad_state(**{"0.bias": torch.full((8,), torch.nan)}), "8 of 8 values of 0.bias of expert b"),
        (lambda: one_change(torch.full((1, WIDE), torch.inf)), "of 0.weight lora_A of expert b"),
        (lambda: one_change(torch.ones(1, 3)), "0.weight of expert b is (8, 3) and (8, 6)"),
    ],
)
def test_experts_that_do_not_fit_are_named(expert, told):
    with pytest.raises(AssayError) as error:
        ExpertPool(network(), {"a": low_rank_expert(0), "b": expert()})
    assert told in str(error.value)


def test_declared_bases_must_agree(tmp_path):
    first, _ = write_peft(tmp_path / "a")
    second, _ = write_peft(tmp_path / "b", revision="old")
    with pytest.raises(AssayError, match=r"one base. Given: a from a/base, b from a/base at revision old"):
        ExpertPool(network(), {"a": first, "b": second})


def test_pools_without_choice_are_refused():
    with pytest.raises(AssayError, match=r"at least two experts. Given: 1"):
        ExpertPool(network(), {"a": low_rank_expert(0)})
    same = difference(network().state_dict())
    with pytest.raises(AssayError, match="must differ from their base"):
        ExpertPool(network(), {"a": same, "b": same})
    with pytest.raises(AssayError, match="one coefficient for each expert"):
        pool_of().changes([1.0])
