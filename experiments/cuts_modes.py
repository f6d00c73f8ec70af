"""Cuts by function mode and by dispatch mode, on one list of networks: which networks each handles.

Each network is cut, and the states of examples with other content and, for sequences, of another length, are patched into it at
every depth. The script prints the number of cuts and the largest error of the outputs, or the error that was raised. Function
mode (`TorchFunctionMode`) uses the same recorder, given the calls of Python functions instead of those of the tensor library.
The last line is the cost of cuts. This is the table of `docs/experiments/cuts-module.md`. Half a minute of CPU time:

    OMP_NUM_THREADS=1 python experiments/cuts_modes.py
"""

import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Generator, Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_unflatten

from assay.cuts import calls, cuts
from assay.cuts.calls import Call, Pass
from assay.errors import AssayError
from assay.subject import Subject

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cuts"))
from networks_to_cut import Case, of_modules, of_transformers, refused

OPAQUE = ("gru", "lstm", "rnn_tanh", "rnn_relu", "multi_head_attention_forward", "scaled_dot_product_attention")
NOT_CALLS = (
    "_set_grad_enabled",
    "size",
    "dim",
    "stride",
    "is_contiguous",
    "numel",
    "is_floating_point",
    "is_complex",
    "__len__",
)


class FunctionCall(Call):
    """A call of a Python function; the tensors that it writes to are known by its name."""

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]):
        self.function = function
        self.name = getattr(function, "__name__", str(function))
        self.flat, self._spec = tree_flatten((args, kwargs))
        self.tensors = {k: value for k, value in enumerate(self.flat) if isinstance(value, Tensor)}
        in_place = self.name == "__setitem__" or (self.name.endswith("_") and not self.name.endswith("__"))
        in_place |= bool(kwargs.get("inplace")) or self.name in ("__iadd__", "__isub__", "__imul__", "__itruediv__")
        written = list(self.tensors)[:1] if in_place else []
        written += [k for k, value in self.tensors.items() if any(value is one for one in tree_flatten(kwargs.get("out"))[0])]
        self.written = written
        self.results = []

    def repeat(self, flat: Sequence[Any]) -> Any:
        args, kwargs = tree_unflatten(list(flat), self._spec)
        return self.function(*args, **kwargs)

    @property
    def opaque(self) -> bool:
        return self.name in OPAQUE


class ByFunction(TorchFunctionMode):
    """A recorder that is given the calls of Python functions."""

    def __init__(self, shown: Pass):
        super().__init__()
        self.shown = shown

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name == "__get__" and not isinstance(func(*args, **(kwargs or {})), Tensor):
            return func(*args, **(kwargs or {}))
        if name in NOT_CALLS:
            return func(*args, **(kwargs or {}))
        return self.shown.met(FunctionCall(func, args, kwargs or {}))


@contextmanager
def by_function() -> Iterator[None]:
    """A context in which passes record function calls, with fused ones as single steps."""
    modes: list[ByFunction] = []

    def enter(shown: Pass) -> Pass:
        modes.append(ByFunction(shown))
        modes[-1].__enter__()
        return shown

    def leave(shown: Pass, *exception: Any) -> None:
        modes.pop().__exit__(*exception)

    @contextmanager
    def eager(*, recurrent: bool) -> Iterator[None]:
        with torch.compiler.set_stance("force_eager"):
            yield

    copies = (*calls.COPIES, "contiguous", "reshape", "to", "float", "flatten")
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(Pass, "__enter__", enter))
        stack.enter_context(mock.patch.object(Pass, "__exit__", leave))
        stack.enter_context(mock.patch.object(cuts, "taken_apart", eager))
        stack.enter_context(mock.patch.object(calls, "COPIES", copies))
        stack.enter_context(mock.patch("assay.cuts.graph.TO_PYTHON", ("item", "__bool__", "__int__", "__float__", "equal")))
        yield


def tried(case: Case) -> str:
    """The number of cuts, and the largest error of the outputs for states of another batch, as a share of the outputs'
    spread."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        subject = Subject(case.network())
    generator = Generator().manual_seed(0)
    here, there, longer = (case.inputs(*size, generator) for size in ((6, 5), (4, 5), (4, 7)))
    worst = 0.0
    try:
        cuts = subject.cuts(here)
        for other in (there, longer):
            wanted = subject(other)
            for cut in range(len(subject.cuts(other)) if other is longer else len(cuts)):
                found = cuts.run(here, cut, cuts.read(other, cut))
                worst = max(worst, float((found - wanted).abs().max() / (wanted - wanted.roll(1, 0)).abs().max()))
    except AssayError as error:
        return f"refused: {error.rule}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"
    opaque = sorted({name.rpartition(".")[2].split("#")[0] for name in (*cuts[0].opaque_before, *cuts[0].opaque_after)})
    left = f", opaque: {', '.join(opaque)}" if opaque else ""
    verdict = "" if worst < 1e-3 else "WRONG, "
    return f"{verdict}{len(cuts)} cuts, error {worst:.0e}{left}"


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """CPU time of one run, after one uncounted warm-up run."""
    run()
    start = time.process_time()
    for _ in range(times):
        run()
    return (time.process_time() - start) / times


def cost() -> str:
    """CPU time of finding, reading and patching cuts, in forward passes of a GPT-2 of four layers of 256 units."""
    import transformers as hf

    small = hf.GPT2Config(n_embd=256, n_layer=4, n_head=4, vocab_size=1000, bos_token_id=None, eos_token_id=None)
    subject = Subject(hf.GPT2LMHeadModel(small))
    inputs = {"input_ids": torch.randint(1000, (64, 32), generator=Generator().manual_seed(0))}
    three = {name: value[:3] for name, value in inputs.items()}
    cuts = subject.cuts(inputs)
    depth = len(cuts) // 2
    state = cuts.read(inputs, depth)
    found = seconds(lambda: subject.cuts(inputs)) / seconds(lambda: subject(three))
    whole = seconds(lambda: subject(inputs))
    read, run = (seconds(one) / whole for one in (lambda: cuts.read(inputs, depth), lambda: cuts.run(inputs, depth, state)))
    return f"finding {found:.1f} forward passes on 3 examples; on 64, reading {read:.2f} and patching {run:.2f} forward passes"


def main() -> None:
    warnings.simplefilter("ignore")
    print("| network | function mode | dispatch mode |\n| --- | --- | --- |")
    for case in (*of_modules(), *refused(), *of_transformers()):
        dispatched = tried(case)
        with by_function():
            functions = tried(case)
        print(f"| {case.name} | {functions} | {dispatched} |", flush=True)
    print(cost())


if __name__ == "__main__":
    main()
