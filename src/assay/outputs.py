"""Which tensor of a network's output is its answer, where a forward returns more than one: logits beside a loss or hidden
states, in a dictionary, a tuple, a list or a dataclass."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial

from torch import Tensor, nn

from assay.errors import AssayError

LOGITS = "logits"  # what the outputs of Hugging Face call the answer
_NAMED = 'name one: Subject(module, output="NAME"), or --output NAME on the command line'


def candidates(output: object) -> dict[str, Tensor]:
    """The tensors in a nest of dictionaries, tuples, lists and dataclasses by name, depth first; one that occurs again is left
    out.

    **Example:** the candidates of `(hidden, {"answer": logits})` are called `0` and `1.answer`.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in _walked(output, ""):
        if all(tensor is not other for other in found.values()):
            found[name] = tensor
    return found


def answer_of(output: object) -> Tensor:
    """The answer in what a forward returned when nobody has named it: the tensor itself, the `logits` of an output of Hugging
    Face, or the only tensor of a nest.

    **Raises:** `AssayError` listing the candidates where there are several, and where there is none.
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
    """The name of the answer in what a forward returned; empty where `answer_of` knows it.

    **Arguments:** `like`: the perfect answer on the same examples. Real numbers of its shape fit, and where it is one number
    each also without the last dimension, of 1.

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
    """Whether an answer holds one number each, such as `(n,)`, where the perfect one is `(n, 1)`."""
    return answer.is_floating_point() and like.shape == (*answer.shape, 1)


def with_output(module: nn.Module, name: str, *, column: bool = False) -> nn.Module:
    """The module with one tensor of its output as its output: the same submodules and weights, called by a shallow copy, so
    that the module itself goes on returning everything.

    **Arguments:** `name`: empty for the only one; `column`: gives it a last dimension of 1.

    **Raises:** from its forward, `AssayError` listing the names that there are where there is none of this name.
    """
    chosen = type(module).__new__(type(module))
    # Not `copy.copy(module)`, which parametrised modules refuse, and not by setting attributes, which compiled ones pass on.
    vars(chosen).update(vars(module))
    # Without an earlier choice, which left one tensor.
    others = ((key, hook) for key, hook in module._forward_hooks.items() if getattr(hook, "func", None) is not _chosen)
    vars(chosen)["_forward_hooks"] = OrderedDict(others)
    vars(chosen).pop("_compiled_call_impl", None)  # it would call the module itself, without the hook
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
    found = dict(_walked(output, ""))  # by every name, that of a tensor which occurs again too
    if name not in found:
        raise _not_one(output, found, f"the subject's forward must return what was named as its output, {name!r}")
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
