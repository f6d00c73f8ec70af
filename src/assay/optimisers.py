"""Torch's Adam and AdamW without the wrapper that imports `torch._dynamo` at the first step (two seconds)."""

import inspect

import torch
from torch.optim import Optimizer


class _Plain(torch.optim.Adam):
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))


class Adam(_Plain, torch.optim.Adam):
    """`torch.optim.Adam`, with the same bits."""


class AdamW(_Plain, torch.optim.AdamW):
    """`torch.optim.AdamW`, with the same bits."""
