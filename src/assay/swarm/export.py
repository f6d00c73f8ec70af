"""Export of a candidate: a PEFT LoRA folder, and a recipe for mergekit."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn.functional import pad

from assay.errors import AssayError
from assay.store import write_bytes_atomically, write_tensors
from assay.swarm.expert import ADAPTER, CONFIGURATION, PREFIX, Factors
from assay.swarm.pool import Coefficients, ExpertPool
from assay.swarm.problem import Problem

MERGED, RECIPE = "adapter", "mergekit.yaml"


def write_exports(folder: Path, problem: Problem, coefficients: Coefficients) -> list[str]:
    """Write all possible exports of a candidate, and return their names in `folder`: an adapter, and a recipe where the
    locations of base and experts are known."""
    pool, found = problem.pool, []
    if not no_adapter(pool):
        write_peft(folder / MERGED, pool, coefficients, base=problem.base)
        found.append(MERGED)
    adapters = {name: f"{problem.base}+{source}" for name, source in problem.sources.items() if Path(source).is_dir()}
    if pool.space != "factor" and problem.base and len(adapters) == len(pool):
        recipe = mergekit_recipe(pool, coefficients, base=problem.base, sources=adapters)
        write_bytes_atomically(folder / RECIPE, recipe.encode())
        found.append(RECIPE)
    return found


def write_peft(folder: Path, pool: ExpertPool, coefficients: Coefficients, *, base: str = "") -> Path:
    """Write a candidate as one LoRA adapter for `peft.PeftModel.from_pretrained`. Its rank is the sum of the ranks of the
    experts that it uses, or, where the pool's `space` is `factor` (LoRA factors are mixed separately), their common rank.

    **Arguments:** `base`: name or folder of the base, for the configuration.

    **Raises:** `AssayError` when experts change more than linear layers, which a LoRA adapter cannot hold.

    Example::

        >>> from pathlib import Path
        >>> from assay.swarm.expert import Expert, Factors
        >>> from assay.swarm.export import write_peft
        >>> from assay.swarm.pool import ExpertPool
        >>> expert = Expert(changes={"0.weight": Factors(down=torch.ones(1, 2), up=torch.ones(3, 1), scale=1.0)})
        >>> pool = ExpertPool(torch.nn.Sequential(torch.nn.Linear(2, 3)), {"a": expert, "b": expert})
        >>> sorted(path.name for path in write_peft(Path("merged"), pool, [0.5, 0.5], base="models/base").iterdir())
        ['adapter_config.json', 'adapter_model.safetensors']
    """
    if why := no_adapter(pool):
        raise AssayError(
            "an adapter can hold changes of linear layers only, all with the same orientation of weights",
            given=why,
            next_step="save `pool.weights(coefficients)`, all weights, with safetensors",
        )
    factors = _without_unused(pool.factors(coefficients))
    rank = max(each.down.shape[0] for each in factors.values())
    config = {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": base,
        "inference_mode": True,
        "r": rank,
        "lora_alpha": rank,  # so that the scale is 1, since it is part of the second factor
        "target_modules": [weight.removesuffix(".weight") for weight in factors],
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": next(iter(factors.values())).transposed,
    }
    tensors = {}
    for weight, each in factors.items():
        spare = rank - each.down.shape[0]  # one rank for all modules, without patterns, which PEFT matches by the ends of names
        name = f"{PREFIX}{weight.removesuffix('.weight')}"
        tensors[f"{name}.lora_A.weight"] = pad(each.down, (0, 0, 0, spare)).contiguous()
        tensors[f"{name}.lora_B.weight"] = pad(each.scale * each.up, (0, spare)).contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / ADAPTER, tensors)
    write_bytes_atomically(folder / CONFIGURATION, (json.dumps(config, indent=2) + "\n").encode())
    return folder


def no_adapter(pool: ExpertPool) -> str:
    """Why candidates of a pool cannot be adapters; empty where they can."""
    if pool.dense:
        return f"experts that change {', '.join(list(pool.dense)[:5])} as a whole"
    mixed = len({each.transposed for each in pool.low_rank.values()}) > 1
    return "experts of which some weights are transposed and some are not" if mixed else ""


def _without_unused(factors: Mapping[str, Factors]) -> dict[str, Factors]:
    """Factors without zero columns, such as those of experts with coefficient 0; at least one stays."""
    found = {}
    for weight, each in factors.items():
        used = each.up.abs().amax(0) > 0
        used[0] |= not used.any()
        found[weight] = replace(each, down=each.down[used], up=each.up[:, used])
    return found


def mergekit_recipe(pool: ExpertPool, coefficients: Coefficients, *, base: str, sources: Mapping[str, str]) -> str:
    """A candidate as a recipe of mergekit: task arithmetic with the coefficients as weights, without normalisation.

    **Arguments:** `base`: name or folder of the base. `sources`: of each expert, a folder of a whole model, or `base+adapter`,
    mergekit's form for an adapter on a base.

    **Raises:** `AssayError` in factor space, which mergekit does not have, and for an expert without a source.

    Example::

        >>> from assay.swarm.export import mergekit_recipe
        >>> from assay.swarm.pool import ExpertPool
        >>> experts = {"a": {"weight": torch.ones(2, 2)}, "b": {"weight": torch.eye(2)}}
        >>> pool = ExpertPool({"weight": torch.zeros(2, 2)}, experts, space="full", span="linear")
        >>> recipe = mergekit_recipe(pool, [1.0, -0.5], base="models/base", sources={"a": "models/a", "b": "models/b"})
        >>> recipe.splitlines()[:2]
        ['merge_method: task_arithmetic', 'base_model: "models/base"']
    """
    if pool.space == "factor":
        raise AssayError(
            "mergekit adds changes of weights, which factor space does not",
            given="space=factor",
            next_step="write the candidate as an adapter, or search in space='delta'",
        )
    if lacking := [name for name in pool.names if name not in sources]:
        raise AssayError("every expert must have a source", given=f"none for {', '.join(lacking)}")
    lines = ["merge_method: task_arithmetic", f"base_model: {json.dumps(base)}", "models:"]
    for name, c in zip(pool.names, torch.as_tensor(coefficients, dtype=torch.float64).tolist(), strict=True):
        lines += [f"  - model: {json.dumps(sources[name])}", "    parameters:", f"      weight: {c!r}"]
    # By default mergekit divides the weights by their sum; lambda 1 means no other scaling.
    lines += ["parameters:", "  normalize: false", "  lambda: 1.0", "dtype: float32", ""]
    return "\n".join(lines)
