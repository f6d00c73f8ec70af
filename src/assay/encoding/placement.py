"""Placement of weights: in memory, on GPUs, or on the disk, from which they are read layer by layer."""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay.errors import AssayError


def placement(folder: Path | str, max_memory: Mapping[int | str, int | str] | None) -> dict[str, Any]:
    """Options of `from_pretrained` for the weights in a folder: none for weights that fit into memory without a GPU; else
    accelerate spreads them over GPUs, memory and disk.

    **Arguments:** `max_memory`: as accelerate takes it; None leaves the choice to it.

    **Raises:** `AssayError` when accelerate is needed and missing.
    """
    size, memory = weights_size(folder), memory_size()
    fits = max_memory is None and size <= memory
    if fits and not torch.cuda.is_available():
        return {}
    if has_accelerate():
        return {"device_map": "auto", **({} if max_memory is None else {"max_memory": dict(max_memory)})}
    if fits:
        return {}
    raise AssayError(
        "weights that memory does not hold are read from the disk layer by layer, which needs accelerate",
        given=f"{size:,} bytes of weights, {memory:,} bytes of memory, max_memory {max_memory and dict(max_memory)}",
        next_step="run `pip install assay[stream]`",
    )


def weights_size(folder: Path | str) -> int:
    """Total size in bytes of the safetensors in a folder."""
    return sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))


def memory_size() -> int:
    """Size of this machine's memory in bytes; larger than any weights where unknown."""
    if not hasattr(os, "sysconf"):
        return 2**63
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def has_accelerate() -> bool:
    """Whether accelerate is installed."""
    return importlib.util.find_spec("accelerate") is not None


def device_of(module: nn.Module) -> torch.device:
    """The device of the inputs. Weights on the disk have none; accelerate's hooks move the inputs."""
    device = next(module.parameters()).device
    return torch.device("cpu") if device.type == "meta" else device


def all_weights(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Names and weights, sorted by name; those on the disk are read one at a time."""
    for name, weight in sorted(module.state_dict().items()):
        if weight.device.type != "meta":
            yield name, weight
            continue
        from accelerate.utils import align_module_device

        owner, _, leaf = name.rpartition(".")
        part = module.get_submodule(owner)
        with align_module_device(part):
            yield name, getattr(part, leaf)
