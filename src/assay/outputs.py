"""Choice of the answer among the tensors that a forward returns, such as logits beside a loss or hidden states, in a
dictionary, tuple, list or dataclass."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial

from torch import Tensor, nn

from assay.errors import AssayError

LOGITS = "logits"  # name of the answer in Hugging Face outputs
_NAMED = 'name one: Subject(module, output="NAME"), or --output NAME on the command line'


def candidates(output: object) -> dict[str, Tensor]:
    """Tensors in nested dictionaries, tuples, lists and dataclasses by name, depth first, without repetitions.

    **Example:** the candidates of `(hidden, {"answer": logits})` are named `0` and `1.answer`.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in _walked(output, ""):
        if all(tensor is not other for other in found.values()):
            found[name] = tensor
    return found


def answer_of(output: object) -> Tensor:
    """The answer in a forward's return value if none is named: the tensor itself, the `logits` of a Hugging Face output, or the
    only tensor in it.

    **Raises:** `AssayError` listing the candidates where there is none or several.
    """
    if isinstance(output, Tensor):
        return output
    if isinstance(logits := getattr(output, LOGITS, None), Tensor):
        return logits
    found = candidates(output)
    if len(found) == 1:
        return next(iter(found.values()))
    raise _not_one(output, found, "the subject's forward must return one tensor, or say which of several is the answer")


def answer_name(output: object, like: Tensor) -> str:
    """Name of the answer in a forward's return value; empty where `answer_of` finds it.

    **Arguments:** `like`: the perfect answer on the same examples. A real tensor of its shape fits, or `(n,)` where that is
    `(n, 1)`.

    **Raises:** `AssayError` listing the candidates when none of several fits, or more than one.
    """
    if isinstance(output, Tensor) or isinstance(getattr(output, LOGITS, None), Tensor):
        return ""
    found = candidates(output)
    if len(found) == 1:
        return ""
    fitting = [
        name
        for name, tensor in found.items()
        if tensor.is_floating_point() and (tensor.shape == like.shape or lacks_column(tensor, like))
    ]
    if len(fitting) == 1:
        return fitting[0]
    shape = f"real numbers of shape {tuple(like.shape)}"
    if fitting:
        raise _not_one(output, found, f"one of the subject's outputs must be the answer, {shape}; {len(fitting)} could be")
    raise _not_one(output, found, f"one of the subject's outputs must be the answer, {shape}")


def lacks_column(answer: Tensor, like: Tensor) -> bool:
    """Whether an answer lacks the last dimension of 1 that the perfect one has, such as `(n,)` for `(n, 1)`."""
    return answer.is_floating_point() and like.shape == (*answer.shape, 1)


def with_output(module: nn.Module, name: str, *, column: bool = False) -> nn.Module:
    """A shallow copy of the module that returns one tensor of its output. It shares submodules and weights; the module itself
    still returns everything.

    **Arguments:** `name`: empty for the only tensor; `column`: whether to add a last dimension of 1.

    **Raises:** `AssayError`, from its forward, listing the names where there is no tensor of this name.
    """
    chosen = type(module).__new__(type(module))
    # Not `copy.copy(module)`, which parametrised modules refuse; not by setting attributes, which compiled modules pass on.
    vars(chosen).update(vars(module))
    # Without the hook of an earlier choice, which would leave one tensor.
    others = ((key, hook) for key, hook in module._forward_hooks.items() if getattr(hook, "func", None) is not _chosen)
    vars(chosen)["_forward_hooks"] = OrderedDict(others)
    vars(chosen).pop("_compiled_call_impl", None)  # it would call the original module, without the hook
    chosen.register_forward_hook(partial(_chosen, name, column))
    return chosen


def _chosen(name: str, column: bool, module: nn.Module, args: object, output: object) -> Tensor:
    answer = _named(output, name) if name else answer_of(output)
    return answer.unsqueeze(-1) if column else answer


def _named(output: object, name: str) -> Tensor:
    if isinstance(output, Tensor):
        raise AssayError(
            "the subject's forward returns one tensor, so that no output needs a name",
            given=name,
            next_step="leave the name out",
        )
    found = dict(_walked(output, ""))  # all names, also those of repeated tensors
    if name not in found:
        raise _not_one(output, found, f"the subject's forward must return the output that was named, {name!r}")
    return found[name]


def _walked(item: object, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(item, Tensor):
        yield name, item
        return
    if isinstance(item, Mapping):
        inside = [(str(key), value) for key, value in item.items()]
    elif isinstance(item, tuple) and hasattr(item, "_fields"):
        inside = [(key, getattr(item, key)) for key in item._fields]
    elif isinstance(item, (tuple, list)):
        inside = [(str(index), value) for index, value in enumerate(item)]
    elif is_dataclass(item):
        inside = [(field.name, getattr(item, field.name)) for field in fields(item)]
    else:
        return
    for key, value in inside:
        yield from _walked(value, f"{name}.{key}" if name else key)


def _not_one(output: object, found: Mapping[str, Tensor], rule: str) -> AssayError:
    if not found:
        return AssayError(
            rule,
            given=f"{type(output).__name__} without a tensor",
            next_step="wrap the network so that its forward returns the answer as a tensor",
        )
    return AssayError(
        rule,
        given=type(output).__name__,
        choices=[f"{name} {str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}" for name, tensor in found.items()],
        next_step=_NAMED,
    )
