"""Experts: differences of fine-tuned networks from their base, from PEFT folders, safetensors or Python."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from assay.bounds import is_file, read_json_value
from assay.errors import AssayError
from assay.store import read_tensors

CONFIGURATION, ADAPTER = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
_FACTOR = re.compile(r"(?P<module>.*)\.lora_(?P<side>[AB])(?:\.default)?\.weight")
_OTHER_BASES = ("pissa", "olora", "corda", "loftq", "eva_subtract")  # initialisations that also change the weights of the base


@dataclass(frozen=True, kw_only=True)
class Factors:
    """A low-rank change of one weight (Hu et al. 2022): `scale * up @ down`.

    **Attributes:** `down` `(r, in)`; `up` `(out, r)`; `scale`: `alpha / r`, or `alpha / sqrt(r)` of rsLoRA. `transposed`: the
    base stores this weight as `(in, out)`.
    """

    down: Float[Tensor, "r i"]
    up: Float[Tensor, "o r"]
    scale: float = 1.0
    transposed: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the weight in the base."""
        out, wide = self.up.shape[0], self.down.shape[1]
        return (wide, out) if self.transposed else (out, wide)

    def dense(self) -> Float[Tensor, "a b"]:
        """The change as a matrix of the weight's shape."""
        product = self.scale * (self.up @ self.down)
        return product.T if self.transposed else product


@dataclass(frozen=True, kw_only=True)
class Expert:
    """Difference of one fine-tuned network from its base.

    **Attributes:**

    - `changes`: by the name of the weight in the base, factors or a dense difference.
    - `values`: weights stored as they are, not as a difference (trained biases); the pool subtracts the base.
    - `base`: name and revision of the base declared in its configuration; empty where none is.
    """

    changes: Mapping[str, Factors | Tensor]
    values: Mapping[str, Tensor] = field(default_factory=dict)
    base: str = ""


def lora(tensors: Mapping[str, Tensor], *, alpha: float, rslora: bool = False) -> Expert:
    """An expert from LoRA factors by name: `<module>.lora_A.weight` `(r, in)` and `<module>.lora_B.weight` `(out, r)`.

    **Raises:** `AssayError` for a factor without its counterpart, unequal ranks of the two, or another tensor.

    Example::

        expert = lora({"fc.lora_A.weight": torch.ones(1, 3), "fc.lora_B.weight": torch.ones(2, 1)}, alpha=1.0)
        assert expert.changes["fc.weight"].shape == (2, 3)
    """
    return _of_factors(tensors, {"r": None, "lora_alpha": alpha, "use_rslora": rslora}, "the expert")


def difference(tensors: Mapping[str, Tensor]) -> Expert:
    """An expert from whole weights, a state dict with the names of the base."""
    return Expert(changes={}, values=dict(tensors))


def read_expert(path: Path | str) -> Expert:
    """An expert from a PEFT LoRA folder (`adapter_config.json` and `adapter_model.safetensors`) or a safetensors file of whole
    weights.

    rsLoRA, rank and alpha patterns and trained biases are supported.

    **Raises:** `AssayError` naming an unsupported feature (DoRA, saved modules such as a separate head, embeddings,
    initialisations that change the base), and for files that are missing or damaged.
    """
    path = Path(path)
    if path.is_dir():
        for name in (CONFIGURATION, ADAPTER):
            if not is_file(path / name):
                raise AssayError(
                    f"a PEFT folder must hold {CONFIGURATION} and {ADAPTER}",
                    given=f"{path} without {name}",
                    next_step="save the adapter with `save_pretrained(folder, safe_serialization=True)`",
                )
        config = read_json_value(path / CONFIGURATION)
        if not isinstance(config, dict):
            raise AssayError(f"{CONFIGURATION} must hold one object", given=path)
        _check_configuration(config, path)
        return _of_factors(read_tensors(path / ADAPTER)[0], config, str(path))
    tensors, _ = read_tensors(path)
    if any(_FACTOR.fullmatch(name) for name in tensors):
        raise AssayError(
            "a file of LoRA factors needs its configuration, which holds their scale",
            given=path,
            next_step=f"give the folder with {CONFIGURATION}, or `assay.swarm.lora(tensors, alpha=...)` in Python",
        )
    return difference(tensors)


def _check_configuration(config: Mapping[str, Any], where: object) -> None:
    """Refuse settings under which sums of changes would be wrong."""
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        raise AssayError("an adapter must be of the type LORA", given=f"{kind} in {where}")
    refused = {
        "use_dora": "DoRA rescales each row by its norm, so changes do not add",
        "lora_bias": "a bias of the second factor is not mixed",
        "use_qalora": "QALoRA pools the input of the first factor",
        "modules_to_save": "a saved module is a separate head: experts must share one",
        "layer_replication": "replicated layers are another architecture",
        "trainable_token_indices": "trained tokens are a separate vocabulary: experts must share one",
        "target_parameters": "changed parameters of no module are not read",
    }
    for name, why in refused.items():
        if config.get(name):
            raise AssayError(
                f"an adapter must not have {name}: {why}",
                given=f"{name}={config[name]} in {where}",
                next_step="merge each expert into the base, save whole weights as safetensors, and use space='full'",
            )
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_OTHER_BASES):
        raise AssayError(
            "the experts must have changed the same base",
            given=f"init_lora_weights={start} in {where}, which subtracts its start from the base",
            next_step="convert the adapter to plain LoRA, as PEFT does with `path_initial_model_for_weight_conversion`",
        )


def _of_factors(tensors: Mapping[str, Tensor], config: Mapping[str, Any], where: str) -> Expert:
    sides: dict[str, dict[str, Tensor]] = {}
    values = {}
    for name, tensor in tensors.items():
        short = name.removeprefix(PREFIX)
        if found := _FACTOR.fullmatch(short):
            sides.setdefault(found["module"], {})[found["side"]] = tensor
        elif short.endswith(".bias") and "lora_" not in short and config.get("bias", "none") != "none":
            values[short.replace(".base_layer.", ".")] = tensor
        else:
            raise AssayError(
                "an adapter must hold factors of linear layers, and biases where its configuration says so",
                given=f"{name} in {where}",
                next_step="merge each expert into the base, save whole weights as safetensors, and use space='full'",
            )
    if not sides:
        raise AssayError("an adapter must hold factors", given=f"none in {where}")
    changes = {}
    for module, pair in sides.items():
        if len(pair) < 2 or pair["A"].ndim != 2 or pair["B"].ndim != 2 or pair["A"].shape[0] != pair["B"].shape[1]:
            given = ", ".join(f"lora_{side} of shape {tuple(tensor.shape)}" for side, tensor in sorted(pair.items()))
            raise AssayError(
                "a change must have two factors, lora_A (r, in) and lora_B (out, r), of one rank",
                given=f"{module} in {where}: {given}",
            )
        rank = pair["A"].shape[0]
        alpha = float(_of_pattern(config.get("alpha_pattern"), module, config.get("lora_alpha", rank)))
        changes[f"{module}.weight"] = Factors(
            down=wide(pair["A"]),
            up=wide(pair["B"]),
            scale=alpha / (math.sqrt(rank) if config.get("use_rslora") else rank),
            transposed=bool(config.get("fan_in_fan_out")),
        )
    declared = [str(config[key]) for key in ("base_model_name_or_path", "revision") if config.get(key)]
    return Expert(changes=changes, values=values, base=" at revision ".join(declared))


def _of_pattern(pattern: Mapping[str, Any] | None, module: str, otherwise: Any) -> Any:
    """The entry whose key is the module's name or its end. Regular expressions, which PEFT also takes, are not supported, so
    that none from a file is run."""
    for key, value in (pattern or {}).items():
        if not re.fullmatch(r"[\w.]+", key):
            raise AssayError("a key of alpha_pattern must be the name of a module, or the end of one", given=key)
        if module == key or module.endswith(f".{key}"):
            return value
    return otherwise


def wide(tensor: Tensor) -> Tensor:
    """In at least float32: half precision is for storage, not for sums."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def check_finite(name: str, tensors: Mapping[str, Factors | Tensor]) -> None:
    """Check that an expert is finite. **Raises:** `AssayError` naming the expert and the tensor with NaN or infinite values."""
    for weight, change in tensors.items():
        parts = {"lora_A": change.down, "lora_B": change.up} if isinstance(change, Factors) else {"": change}
        for side, tensor in parts.items():
            if not torch.isfinite(tensor).all():
                raise AssayError(
                    "the weights of an expert must be finite",
                    given=f"{int((~torch.isfinite(tensor)).sum())} of {tensor.numel()} values of {weight} {side}".rstrip()
                    + f" of expert {name} are not",
                    next_step="leave this expert out, or train it again",
                )
