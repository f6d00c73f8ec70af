"""Mask files: safetensors with a header that identifies the network."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from assay.bounds import is_whole, parse_json
from assay.errors import AssayError
from assay.masks.mask import Mask
from assay.masks.running import weights_of
from assay.store import read_tensors, write_tensors

_FORMAT = "assay mask 1"


def save_mask(path: Path | str, mask: Mask, module: nn.Module) -> None:
    """Save a mask of this network.

    Example::

        >>> from assay.masks import largest, load_mask, save_mask, units_of, weights_of
        >>> network = torch.nn.Linear(4, 8)
        >>> save_mask("mask.safetensors", largest(units_of(network), weights_of(network), share=0.25), network)
        >>> load_mask("mask.safetensors", network).kind
        'weight'
    """
    weights = weights_of(module)
    mask.check(weights)
    head = {
        "format": _FORMAT,
        "kind": mask.kind,
        "shapes": {name: list(shape) for name, shape in mask.shapes.items()},
        "weights": digest(weights),
    }
    write_tensors(path, mask.keep, {"mask": json.dumps(head)})


def load_mask(path: Path | str, module: nn.Module) -> Mask:
    """Load a mask of this network.

    **Raises:** `AssayError` when the file is missing, damaged or no mask, or belongs to another network or other weights.

    Example::

        >>> from assay.masks import largest, load_mask, save_mask, units_of, weights_of
        >>> network = torch.nn.Linear(4, 8)
        >>> mask = largest(units_of(network), weights_of(network), share=0.25)
        >>> save_mask("mask.safetensors", mask, network)
        >>> torch.equal(load_mask("mask.safetensors", network).full("weight"), mask.full("weight"))
        True
    """
    tensors, metadata = read_tensors(path)
    try:
        mask, of = _parsed(tensors, parse_json(metadata["mask"].encode(), path))
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise AssayError(
            "a mask file must be one written by `save_mask`", given=f"{path}: {error}", next_step="make the mask again"
        ) from error
    weights = weights_of(module)
    mask.check(weights)
    if digest(weights) != of:
        raise AssayError(
            "a mask must belong to the weights of this network",
            given=f"{path}, made for others (with another SHA-256)",
            next_step="load the network that the mask was made for, or search again",
        )
    return mask


def _parsed(tensors: dict[str, Tensor], head: dict[str, Any]) -> tuple[Mask, str]:
    """The mask in a file, and the digest of its weights."""
    if head["format"] != _FORMAT:
        raise ValueError(f"its format is {head['format']}")
    if not all(isinstance(head[key], str) for key in ("kind", "weights")):
        raise TypeError("kind and weights must be text")
    shapes = {name: tuple(shape) for name, shape in head["shapes"].items()}
    if not all(is_whole(size) and size >= 0 for shape in shapes.values() for size in shape):
        raise TypeError("the sizes of a shape must be whole numbers")
    if shapes.keys() != tensors.keys():
        raise ValueError(f"it holds {', '.join(tensors)}")
    for name, keep in tensors.items():
        if keep.dtype != torch.bool or torch.broadcast_shapes(keep.shape, shapes[name]) != shapes[name]:
            raise ValueError(f"{name} is {keep.dtype} of shape {tuple(keep.shape)}")
    return Mask(head["kind"], tensors, shapes), head["weights"]


def digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, shapes and bytes of weights, in alphabetic order."""
    found = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        found.update(f"{name} {tuple(weight.shape)} {weight.dtype}".encode())
        found.update(weight.detach().cpu().flatten().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()
