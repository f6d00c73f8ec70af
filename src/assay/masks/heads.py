"""Attention heads of a module: the rows and columns of its projections that belong to each."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor, nn

from assay.masks.maskable import Maskable

# Names of the projections that read the residual stream for each head, and of those that write to it, in reference networks,
# PyTorch and Hugging Face.
_READ_APART = (
    ("query", "key", "value"),
    ("q_proj", "k_proj", "v_proj"),
    ("q_lin", "k_lin", "v_lin"),
    ("q", "k", "v"),
    ("to_q", "to_k", "to_v"),
)
_READ_AT_ONCE = ("c_attn", "qkv", "qkv_proj", "in_proj")
WRITES = ("output", "out_proj", "o_proj", "c_proj", "out_lin", "o", "wo", "dense", "to_out", "proj", "fc2", "down_proj")
_COUNTS = ("num_heads", "num_attention_heads", "n_heads", "n_head")


class HeadSlice(NamedTuple):
    """A parameter of an attention module, and the head of each of its entries, which broadcasts to the parameter's shape."""

    parameter: str
    head: Int[Tensor, "*broadcast"]


def attention_heads(module: nn.Module, known: Mapping[str, Maskable]) -> Iterator[tuple[str, int, list[HeadSlice]]]:
    """Name, number of heads, and slices of the `known` parameters of every attention module.

    A projection shared by several heads (grouped keys and values) belongs to none of them.
    """
    for name, part in module.named_modules():
        num = _num_heads(part)
        if num < 1:
            continue
        slices = _of_torch(name, part, known) if isinstance(part, nn.MultiheadAttention) else _named(name, num, known)
        if slices:
            yield name, num, slices


def _num_heads(part: nn.Module) -> int:
    """Number of heads by the module or its configuration; 0 where neither has one."""
    known = (getattr(holder, key, None) for holder in (part, getattr(part, "config", None)) for key in _COUNTS)
    return next((num for num in known if isinstance(num, int)), 0)


def _of_torch(name: str, part: nn.MultiheadAttention, known: Mapping[str, Maskable]) -> list[HeadSlice]:
    head = torch.arange(part.embed_dim) // part.head_dim
    found = {"in_proj_weight": head.repeat(3)[:, None], **{f"{one}_proj_weight": head[:, None] for one in "qkv"}}
    found |= {"out_proj.weight": head[None]}
    named = {_dotted(name, own): index for own, index in found.items()}
    return [HeadSlice(parameter, index) for parameter, index in named.items() if parameter in known]


def _named(name: str, num: int, known: Mapping[str, Maskable]) -> list[HeadSlice]:
    """Slices of an attention module whose projections are submodules, recognised by name."""
    apart = next((names for names in _READ_APART if all(_dotted(name, f"{own}.weight") in known for own in names)), ())
    at_once = [own for own in _READ_AT_ONCE if _dotted(name, f"{own}.weight") in known]
    readers = [known[_dotted(name, f"{own}.weight")] for own in (*apart, *at_once)]
    if not readers:
        return []
    size = readers[0].weight.shape[readers[0].outputs] // (1 if apart else 3)
    if size % num:
        return []
    head = torch.arange(size) // (size // num)
    slices = []
    for reader in readers:
        rows = reader.weight.shape[reader.outputs]
        if rows in (size, 3 * size):
            slices.append(HeadSlice(reader.parameter, _along(head.repeat(rows // size), reader.outputs)))
    for writer in _writers(name, known):
        if writer.inputs is not None and writer.weight.shape[writer.inputs] == size:
            slices.append(HeadSlice(writer.parameter, _along(head, writer.inputs)))
            break
    return slices


def _writers(name: str, known: Mapping[str, Maskable]) -> Iterator[Maskable]:
    """Candidates for the output projection: children of the module or, as in BERT, of its sibling `output`."""
    parent = name.rpartition(".")[0]
    places = [_dotted(name, f"{own}.weight") for own in WRITES] + [_dotted(parent, "output.dense.weight")]
    return (known[place] for place in places if place in known)


def _along(index: Int[Tensor, " size"], dimension: int) -> Int[Tensor, "a b"]:
    return index[:, None] if dimension == 0 else index[None]


def _dotted(name: str, own: str) -> str:
    return f"{name}.{own}" if name else own
