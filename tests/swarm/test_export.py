"""Candidates for other tools, read back by the reader, by PEFT where it is installed, and by a YAML parser."""

import json

import pytest
import torch
import yaml
from worlds_for_tests import answers, items, low_rank_expert, network, pool_of

from assay.errors import AssayError
from assay.swarm.expert import Expert, Factors, difference, read_expert
from assay.swarm.export import mergekit_recipe, write_peft
from assay.swarm.pool import ExpertPool

C = [0.7, 0.0, -1.2]


@pytest.mark.parametrize(("space", "rank"), [("delta", 4), ("factor", 2)])
def test_an_adapter_read_back_is_the_candidate(space, rank, tmp_path):
    pool = pool_of(space=space)
    found = read_expert(write_peft(tmp_path / "merged", pool, C, base="a/base"))
    assert found.base == "a/base"
    for weight, change in pool.changes(C).items():
        torch.testing.assert_close(found.changes[weight].dense(), change, rtol=0, atol=1e-12)
        assert found.changes[weight].down.shape[0] == rank  # the expert with 0 takes no rank


def test_experts_that_change_different_weights_have_one_rank(tmp_path):
    few = Expert(changes={"0.weight": low_rank_expert(1).changes["0.weight"]})
    pool = ExpertPool(network(), {"a": low_rank_expert(0), "b": few})
    found = read_expert(write_peft(tmp_path / "merged", pool, [1.0, 2.0]))
    for weight, change in pool.changes([1.0, 2.0]).items():
        torch.testing.assert_close(found.changes[weight].dense(), change, rtol=0, atol=1e-12)
    config = json.loads((tmp_path / "merged" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (4, 4, ["0", "2"])


def test_nothing_at_all_and_transposed_weights(tmp_path):
    turned = {
        name: Expert(changes={"w.weight": Factors(down=torch.randn(1, 3), up=torch.randn(2, 1), transposed=True)})
        for name in "ab"
    }
    pool = ExpertPool({"w.weight": torch.zeros(3, 2)}, turned)
    for c in ([0.0, 0.0], [1.0, -0.5]):
        change = read_expert(write_peft(tmp_path / "merged", pool, c)).changes["w.weight"]
        torch.testing.assert_close(change.dense(), pool.changes(c)["w.weight"])


def test_peft_reads_it(tmp_path):
    """The answers of the model that PEFT makes of it are those of the candidate's weights."""
    peft = pytest.importorskip("peft", reason="peft is no dependency: it reads what is written here")
    pool, base = pool_of(), network()
    folder = write_peft(tmp_path / "merged", pool, C)
    base.config = {"model_type": "custom"}
    adapted = peft.PeftModel.from_pretrained(base, folder, autocast_adapter_dtype=False)
    inputs = items().inputs
    torch.testing.assert_close(adapted(inputs), answers(network(), pool.weights(C), inputs), rtol=0, atol=1e-6)


def test_a_recipe_holds_the_coefficients_and_does_not_divide_by_their_sum():
    recipe = yaml.safe_load(
        mergekit_recipe(pool_of(), C, base="a/base", sources={"e0": 'odd "name": x', "e1": "a/base+b", "e2": "c"})
    )
    assert recipe == {
        "merge_method": "task_arithmetic",
        "base_model": "a/base",
        "models": [
            {"model": source, "parameters": {"weight": c}}
            for source, c in zip(['odd "name": x', "a/base+b", "c"], C, strict=True)
        ],
        "parameters": {"normalize": False, "lambda": 1.0},
        "dtype": "float32",
    }


def test_what_neither_can_hold_is_refused(tmp_path):
    whole = ExpertPool(network(), {"a": difference(network(1).state_dict()), "b": low_rank_expert(0)})
    with pytest.raises(AssayError, match=r"linear layers only.*Given: experts that change 0.weight, 0.bias"):
        write_peft(tmp_path / "merged", whole, [1.0, 0.0])
    with pytest.raises(AssayError, match="which factor space does not"):
        mergekit_recipe(pool_of(space="factor"), C, base="b", sources={})
    with pytest.raises(AssayError, match="none for e1, e2"):
        mergekit_recipe(pool_of(), C, base="b", sources={"e0": "x"})
    assert not (tmp_path / "merged").exists()
