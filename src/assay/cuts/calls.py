"""Numbered calls of one forward pass, intercepted below autograd.

`TorchDispatchMode` intercepts every call of the tensor library, whether made by a module, a function, an operator, a scripted
function, a checkpoint or `vmap`. Composite functions (recurrent layers, `einsum`) appear as their component calls.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from assay.errors import AssayError

COPIES = ("clone", "_unsafe_view", "_to_copy", "lift_fresh")
FUSED = ("scaled_dot_product", "flash_attention", "efficient_attention", "_rnn", "_thnn_fused", "multi_head", "encoder_layer")
"""Substrings of the names of calls with several non-affine steps."""


def storage(tensor: Tensor) -> int:
    """Identifier of a tensor's memory, unique among live tensors."""
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else -id(tensor)  # sparse tensors share no memory


def named(name: str, path: Sequence[str]) -> str:
    """Name of a call: the innermost module of the path and the function, with the same name in place or not. The outermost
    module has no name."""
    name = name[:-1] if name.endswith("_") and not name.endswith("__") else name
    return ".".join(part for part in (*path[-1:], name) if part)


class Call:
    """One call of the tensor library, before and after it has run.

    **Attributes:**

    - `name`: of the function, without its overload.
    - `flat`: all arguments, with lists flattened.
    - `tensors`: the tensor arguments, by index in `flat`.
    - `written`: indices of those that the call writes to.
    - `returned`: its return value.
    - `results`: the returned tensors, except arguments that it wrote to.
    - `sources`: for each result the index of the argument of which it is a view or a plain copy, or `None`.
    - `rearranges`: whether it only returned all elements of its argument in another shape or memory. Whether such calls occur
      depends on the memory layout of tensors.
    """

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]):
        self.function = function
        self.name: str = function.overloadpacket.__name__
        self.flat: list[Any] = []
        self._lists: list[int | None] = []  # lengths of the list arguments; in the tensor library lists are not nested
        self._keywords = list(kwargs)
        for value in (*args, *kwargs.values()):
            several = isinstance(value, (list, tuple))
            self._lists.append(len(value) if several else None)
            self.flat.extend(value if several else (value,))
        self.tensors = {k: value for k, value in enumerate(self.flat) if isinstance(value, Tensor)}
        self.written: list[int] = []
        if writes := _writes(function):
            written = [args[k] if k < len(args) else kwargs.get(name) for k, name in writes]
            written = [one for some in written for one in (some if isinstance(some, (list, tuple)) else [some])]
            self.written = [k for k, value in self.tensors.items() if any(value is one for one in written)]

    def repeat(self, flat: Sequence[Any]) -> Any:
        """Call the same function on other arguments."""
        left = iter(flat)
        values = [next(left) if size is None else [next(left) for _ in range(size)] for size in self._lists]
        ordinary = len(values) - len(self._keywords)
        return self.function(*values[:ordinary], **dict(zip(self._keywords, values[ordinary:], strict=True)))

    def run(self, instead: Any = None) -> None:
        """Run the call, or use `instead` as its return value."""
        self.returned = self.repeat(self.flat) if instead is None else instead
        self._leaves, self._structure = tree_flatten(self.returned)
        if self.name.startswith(("empty", "new_empty")):  # uninitialised memory depends on no argument
            for value in self._leaves:
                value.zero_()
        given = [self.flat[k] for k in self.written]
        places = [k for k, v in enumerate(self._leaves) if isinstance(v, Tensor) and all(v is not one for one in given)]
        self._places, self.results = places, [self._leaves[k] for k in places]
        first = next(iter(self.tensors), None)
        copied = (
            first if self.name in COPIES and first is not None and self.flat[first].dtype == self.results[0].dtype else None
        )
        memory = {storage(value): k for k, value in reversed(self.tensors.items())}
        self.sources = [memory.get(storage(result), copied) for result in self.results]
        self.rearranges = (
            len(self.results) == 1
            and not self.written
            and (source := self.sources[0]) is not None
            and self.flat[source].numel() == self.results[0].numel()
        )

    def produced(self, slot: int, written: bool) -> Tensor:
        """A result, or an argument that was written to, by index."""
        return self.flat[slot] if written else self.results[slot]

    def put(self, slot: int, value: Tensor) -> None:
        """Replace one result by another tensor."""
        self._leaves[self._places[slot]] = self.results[slot] = value
        self.returned = tree_unflatten(self._leaves, self._structure)

    @property
    def opaque(self) -> bool:
        """Whether the call may contain several non-affine steps: a fused or a custom function."""
        return self.function.namespace not in ("aten", "prims", "prim") or any(part in self.name for part in FUSED)


@cache
def kind_of(function: Any) -> tuple[str, Literal["new", "view", "other"]]:
    """Name of a function, and its kind: `new` if it only returns new tensors that depend on its arguments alone, `view` if it
    only returns views or copies of its first argument, else `other`."""
    if not isinstance(function, torch._ops.OpOverload):
        return str(function), "other"
    name, schema = function.overloadpacket.__name__, function._schema
    draws = torch.Tag.nondeterministic_seeded in function.tags or name.startswith(("empty", "new_empty"))
    plain = function.namespace == "aten" and torch.Tag.inplace_view not in function.tags and not _writes(function)
    if draws or not plain or name == "_to_copy":
        return name, "other"
    if name in COPIES:
        return name, "view"
    aliased = [k for k, one in enumerate(schema.arguments) if one.alias_info is not None]
    if not aliased and not any(one.alias_info is not None for one in schema.returns):
        return name, "new"
    return name, "view" if aliased == [0] else "other"


@cache
def _writes(function: Any) -> tuple[tuple[int, str], ...]:
    """Index and name of the arguments that a function of the tensor library writes to."""
    if torch.Tag.inplace_view in function.tags:
        return ()  # `transpose_` and the like change strides only
    arguments = enumerate(function._schema.arguments)
    return tuple((k, one.name) for k, one in arguments if one.alias_info is not None and one.alias_info.is_write)


class Pass(TorchDispatchMode):
    """A forward pass in which every call is passed to `before` and `after`, with a number unless it only rearranges.

    **Arguments:**

    - `expected`: names of the calls of an earlier pass, with which this one must agree.
    """

    def __init__(self, expected: Sequence[str] | None = None):
        super().__init__()
        self.expected = expected
        self.names: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether PyTorch skips its compiler in `__torch_dispatch__`, which would import it at the first call.

        Passes run within `not_compiled`.
        """
        return False

    def before(self, call: Call) -> None:
        """Called before a call runs."""

    def rearranged(self, call: Call) -> None:
        """Called after a call without a number."""

    def after(self, call: Call, number: int) -> None:
        """Called after a call with a number."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.met(Call(func, args, kwargs or {}))

    def met(self, call: Call) -> Any:
        """Run a call and return its value."""
        self.before(call)
        self.perform(call)
        if call.rearranges:
            self.rearranged(call)
            return call.returned
        number = self.count(call.name)
        self.after(call, number)
        return call.returned

    def perform(self, call: Call) -> None:
        """Run one call; subclasses may replace it."""
        call.run()

    def count(self, name: str) -> int:
        """Number of the current call. **Raises:** `AssayError` where it is not the expected one."""
        number = len(self.names)
        self.names.append(name)
        if self.expected is not None and (number >= len(self.expected) or self.expected[number] != name):
            raise self._other_path(name)
        return number

    def finish(self) -> None:
        if self.expected is not None and len(self.names) != len(self.expected):
            raise self._other_path("the end")

    def _other_path(self, name: str) -> AssayError:
        assert self.expected is not None
        here = len(self.names) - (name != "the end")
        usual = self.expected[here] if here < len(self.expected) else "the end"
        return AssayError(
            "a network can be cut only if it makes the same calls for all inputs of one shape",
            given=f"{name} as call {here}, where it was {usual}",
            next_step="cut on inputs that take the same path, such as all with padding or all without",
        )


@contextmanager
def not_compiled() -> Iterator[None]:
    """Context in which compiled functions run eagerly."""
    # Importing the compiler takes seconds, and without it nothing is compiled. PyTorch 2.13 runs compiled functions eagerly
    # under any dispatch mode; this makes every version do so.
    with torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext():
        yield


@contextmanager
def taken_apart(*, recurrent: bool) -> Iterator[None]:
    """Context in which fused functions run as their component calls, and compiled functions eagerly.

    **Arguments:** `recurrent`: whether to decompose recurrent layers too, which makes convolutions slower.
    """
    with ExitStack() as stack:
        stack.enter_context(not_compiled())
        stack.enter_context(torch.jit.optimized_execution(False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        onednn = torch._C._get_mkldnn_enabled()
        cudnn = torch._C._get_cudnn_enabled()
        # These two flags make recurrent layers use one call for all steps. The public setter also sets TF32, and warns.
        torch._C._set_mkldnn_enabled(onednn and not recurrent)
        torch._C._set_cudnn_enabled(cudnn and not recurrent)
        try:
            yield
        finally:
            torch._C._set_mkldnn_enabled(onednn)
            torch._C._set_cudnn_enabled(cudnn)
