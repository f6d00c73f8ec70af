"""Error messages for a network whose forward fails: the commonest causes, and the remedy for each."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from assay.attributes import kept_tensors
from assay.errors import AssayError

_GPU = ("CUDA", "NVIDIA", "HIP GPUs")  # torch's messages on a machine without a GPU


def forward_failed(module: nn.Module, inputs: Mapping[str, Tensor], error: Exception) -> AssayError:
    """The error to raise when the forward of `module` failed with `error` on a batch of `inputs`."""
    said = f"{type(error).__name__}: {error}"
    if not torch.cuda.is_available() and any(word in said for word in _GPU):
        return AssayError(
            "the subject's forward must run where its weights are, and this machine has no GPU",
            given=said.partition("\n")[0],
            next_step='write `tensor.to(x.device)` in forward, with x an input, in place of `.cuda()` or `device="cuda"`',
        )
    shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in inputs.items())
    count = len(next(iter(inputs.values()))) if inputs else 0
    buffers = {name for name, _ in module.named_buffers()}
    weights = {weight.data_ptr() for weight in module.parameters()}  # recurrent layers also keep their weights in a list
    kept = [
        f"{name} {tuple(value.shape)}"
        for name, value in kept_tensors(module).items()
        if name not in buffers and value.data_ptr() not in weights and value.ndim > 1 and len(value) != count
    ]
    perhaps = f"; if it keeps {', '.join(kept[:3])} of the last batch, let forward begin without it" if kept else ""
    return AssayError(
        "the subject's forward must accept the task's inputs as keyword arguments, in their shapes and ranges",
        given=f"{shapes}, which end in {said}",
        next_step="check that the subject was made for this task, or wrap it in a module whose forward takes these" + perhaps,
    )
