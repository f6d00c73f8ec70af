"""The network under test: any `nn.Module`, run, read and patched at its sites through PyTorch hooks.

A site is the input or the output of a module by dotted name: `layers.0:in`, `layers.0:out`. Weights are never changed, and
reading changes no bit of an output; `Subject.integrity` checks both.
"""

import copy
import fnmatch
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import torch
from torch import Generator, Tensor, nn
from torch.utils.hooks import RemovableHandle

from assay.arguments import checked
from assay.batches import LEAST, fitting_batch_size, spread_sample
from assay.compiled import original, plain, refuse_scripted, uncompiled
from assay.cuts import Cuts
from assay.errors import AssayError
from assay.forward_errors import forward_failed
from assay.hooks import SIDES, Replacement, catch, differentiated, gradients_of, replace, replacement
from assay.integrity import attributes_of, integrity
from assay.isolation import undisturbed
from assay.keywords import as_taken
from assay.outputs import answer_name, answer_of, candidates, lacks_column, with_output
from assay.places import EXAMPLES, Places, survey
from assay.redraw import kept_buffers, redrawn, running_buffers
from assay.site import Integrity as Integrity
from assay.site import Site as Site
from assay.store import Training

Inputs = Mapping[str, Tensor]
Calls = dict[str, list[Tensor]]


class Subject:
    """A network and how to run it.

    **Arguments:**

    - `module`: any `nn.Module`. It runs in evaluation mode and is left in its own; its weights and buffers are never changed. A
      module that draws at random draws the same in every call, and the global generators are restored. For a `torch.compile`
      module the original is audited, for an nnsight object the traced module; `remarks` say so.
    - `name`: its name in reports.
    - `fresh`: a function from a generator to a new, untrained module of the same architecture. Without it `untrained` redraws
      the weights of a copy through each submodule's own initialiser (`assay.redraw`).
    - `batch_size`: most examples per forward pass; on a CPU fewer where they would not fit its cache.
    - `output`: which tensor is the answer, where forward returns several: a key such as `logits`, a position such as `1`, or
      both, such as `heads.0`. Default: the only one, the `logits` of a Hugging Face model, or the only one of the shape of the
      task's answers.
    - `running`: names of buffers that training changes, such as a codebook learned by moving averages. `untrained` redraws
      these, and keeps all others that no initialiser sets. An audit finds them itself, by `with_running`.

    **Raises:** `AssayError` for anything but a module, and for a `torch.jit` module.

    Example::

        >>> subject = assay.Subject(torch.nn.Linear(4, 2), name="mine")  # output="logits" where forward returns several tensors
    """

    @partial(checked, leave=("module",))
    def __init__(
        self,
        module: nn.Module | object,
        *,
        name: str = "subject",
        fresh: Callable[[Generator], nn.Module] | None = None,
        batch_size: int = 1024,
        output: str | None = None,
        running: Collection[str] = (),
    ):
        module, self.remarks = original(module)
        self.module = with_output(module, output) if output else module
        self.name = name
        self.fresh = fresh
        self.batch_size = batch_size
        self.output = output
        self.running = tuple(running)
        self.column: bool | None = None  # whether the answer is given a last dimension of 1; None before `answering`
        self.training: Training | None = None  # where known: see `load_subject`
        self.initial = ""  # source of its weights if that was no file: see `load_subject`
        self._at_first = attributes_of(self.module)
        self._searched = False  # whether the buffers that training changes are known
        self._surveys: dict[object, Places] = {}
        self._fitting: dict[object, int] = {}

    def __repr__(self) -> str:
        return f"Subject({type(self.module).__name__}, name={self.name!r}, num_weights={self.num_weights()})"

    def __getstate__(self) -> dict[str, object]:
        """State without the module's first attributes, since those of `nn.GRU` hold weak references, which cannot be
        pickled."""
        return {name: value for name, value in vars(self).items() if name != "_at_first"}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._at_first = attributes_of(self.module)

    @property
    def device(self) -> torch.device:
        """Where the weights are (the CPU for a module without weights)."""
        return next((tensor.device for tensor in self.module.parameters()), torch.device("cpu"))

    def weights(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, detached, as for `torch.func.functional_call`. They share memory with the module."""
        kept = self.module.state_dict(keep_vars=True)
        return {name: value.detach() for name, value in kept.items() if isinstance(value, Tensor)}

    def num_weights(self) -> int:
        """Number of trainable weights."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    # Running

    def __call__(self, inputs: Inputs, *, replace: Mapping[str, Tensor | Replacement] | None = None) -> Tensor:
        """Outputs `(n, ...)` on the CPU, without gradients, in batches.

        `replace` maps site names to patches: a tensor with `n` rows of the site's shape, or a function of the activation.

        **Raises:** `AssayError` for a site that this network does not have, or whose module does not run.
        """
        replace = replace or {}
        for site in replace:
            self._check_place(site, inputs)
        outputs = []
        with undisturbed(self.module):
            for rows, batch in self._batches(inputs):
                replaced: set[str] = set()
                handles = [self._replace_hook(site, new, rows, replaced) for site, new in replace.items()]
                with self._running(handles):
                    outputs.append(self._forward(batch).cpu())
                for site in replace:
                    if site not in replaced:
                        raise self._unknown_place(site, inputs)
        return torch.cat(outputs) if outputs else answer_of(self._sample(inputs, 1))[:0].cpu()

    def read(self, inputs: Inputs, sites: Sequence[str], *, each: Replacement = Tensor.detach) -> dict[str, Tensor]:
        """Activations `(n, ...)` at the given sites, on the CPU, in their dtype, from one forward per batch. `each`: a function
        of a batch that treats rows independently, whose result is kept instead.

        Patterns are expanded by `match`. **Raises:** `AssayError` listing all sites when this network lacks one, and for one
        that does not run equally often with all examples of every batch.
        """

        def caught(rows: slice, batch: Inputs) -> Calls:
            calls: Calls = {site: [] for site in sites}
            self._hooked(batch, [catch(*self._module_and_side(site), calls[site]) for site in sites])
            return calls

        return self._collected(inputs, sites, caught, each)

    def gradients(self, inputs: Inputs, sites: Sequence[str], directions: Tensor) -> dict[str, Tensor]:
        """Gradients `(n, ...)` at the given sites, on the CPU, of the outputs weighted by `directions`, of their shape.

        Row i is the gradient of example i as long as the network treats examples independently. A site without effect on the
        output has gradient zero; that at a module's input is the gradient through this module alone.

        **Raises:** `AssayError` listing all sites when this network lacks one.
        """

        def found(rows: slice, batch: Inputs) -> dict[str, list[Tensor]]:
            calls: dict[str, list[Tensor]] = {site: [] for site in sites}
            handles = [differentiated(*self._module_and_side(site), calls[site]) for site in sites]
            with self._running(handles), torch.enable_grad():
                outputs = self._forward(batch)
                weighted = (outputs * directions[rows].to(outputs)).sum()
            live = [tensor for site in sites for tensor in calls[site]]
            each = iter(gradients_of(weighted, live))
            return {site: [next(each) for _ in calls[site]] for site in sites}

        return self._collected(inputs, sites, found)

    def sites(self, inputs: Inputs) -> tuple[Site, ...]:
        """Every distinct site of the network, in the order of execution, found by three forwards on a few examples.

        A tensor is listed once: an output that the next module takes unchanged, or that the enclosing module returns unchanged,
        appears under its first name only. Left out are places whose first dimension is not the examples in their order, such as
        experts that receive some of the rows; places without floating-point numbers or with infinite ones, such as masked
        attention scores; and outputs of several tensors of which the network uses others than the first, such as a recurrent
        layer's last state.

        **Raises:** `AssayError` for a network with a `torch.jit` module.
        """
        return self._survey(inputs).listed

    def places(self, inputs: Inputs) -> frozenset[str]:
        """Every name that `read` and `gradients` accept, including several names of one site."""
        return frozenset(self._survey(inputs).sites)

    def match(self, patterns: str | Sequence[str], inputs: Inputs) -> tuple[Site, ...]:
        """Sites with a name that fits a glob pattern. A pattern without `:in` or `:out` means outputs.

        The input of a module is a separate site where others use the same tensor too, as with the residual stream around a
        branch: patching it affects this module only.

        **Raises:** `AssayError` listing all sites when a pattern fits none.
        """
        places = self._survey(inputs).sites
        chosen: set[Site] = set()
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            full = plain(pattern) if pattern.endswith((":in", ":out", ":*")) else f"{plain(pattern)}:out"
            fitting = {site for place, site in places.items() if fnmatch.fnmatchcase(place, full)}
            if not fitting:
                raise self._unknown_place(pattern, inputs)
            chosen |= fitting
        return tuple(site for site in dict.fromkeys(places.values()) if site in chosen)

    def cuts(self, inputs: Inputs, *, fixed: Collection[str] = ()) -> Cuts:
        """The cuts of the network by depth: sets of activations through which everything later depends on the inputs.

        The result reads and patches them. They are found on three examples, in the time of 15 to 25 forward passes on these.

        **Arguments:** `fixed`: names of inputs that are never patched; the cuts end before the first call that uses them
        together with others.

        **Raises:** `AssayError` for a network that cannot be cut (see `Cuts`).
        """
        return Cuts(self.module, self._run_batch, inputs=inputs, device=self.device, batch_size=self.batch_size, fixed=fixed)

    # Copies, and integrity

    def answering(self, inputs: Inputs, *, like: Tensor) -> "Subject":
        """This network reduced to the answer among its outputs: the named tensor, or the one that fits. Outputs `(n,)` become
        `(n, 1)` where the answer has that shape.

        **Arguments:** `like`: the perfect answer. A real tensor of its shape fits.

        **Raises:** `AssayError` listing the candidates when none of several fits, or more than one.
        """
        if self.column is not None:
            return self
        found = self if self.output is not None else self.with_output(answer_name(self._sample(inputs, len(like)), like))
        column = lacks_column(answer_of(found._sample(inputs, len(like))), like)
        return found.with_output(found.output or "", column=column)

    def with_output(self, name: str, *, column: bool | None = None) -> "Subject":
        """This network with the tensor of that name as its output; `column`: whether to add a last dimension of 1."""
        found = copy.copy(self)
        found.output, found.column = name, column
        found.module = with_output(self.module, name, column=bool(column)) if name or column else self.module
        found.remarks += ("its output, one number for each example, is read with a last dimension of 1",) if column else ()
        return found

    def twin(self, module: nn.Module, *, name: str) -> "Subject":
        """Another module of this architecture as a subject with the same settings and the same choice of the answer."""
        same = {"fresh": self.fresh, "batch_size": self.batch_size, "output": self.output, "running": self.running}
        found = Subject(module, name=name, **same)
        return found if self.column is None else found.with_output(self.output or "", column=self.column)

    def untrained(self, generator: Generator) -> "Subject":
        """A randomly initialised copy. Its `remarks` name buffers that it keeps although training may have changed them;
        `with_running` finds out which training changes."""
        module = redrawn(self.module, generator, self.running) if self.fresh is None else self.fresh(generator).to(self.device)
        found = self.twin(module, name=f"{self.name}, untrained")
        found.remarks += () if self._searched or self.fresh else kept_buffers(self.module, module)
        return found

    def with_running(self, inputs: Inputs) -> "Subject":
        """This network with `running` set to the buffers that a forward in training mode changes (running statistics, codebooks
        learned by moving averages), as tried on a copy.

        **Raises:** `AssayError` naming the floating-point buffers of a network that does not run in training mode.
        """
        floats = [name for name, value in self.module.named_buffers() if value.is_floating_point()]
        if not floats or self.fresh is not None or self._searched:
            return self
        found = running_buffers(self.module, spread_sample(inputs, EXAMPLES, self.device))
        if found is None:
            raise AssayError(
                "a network must run in training mode, to find which buffers are learned",
                given=f"untrained copies keep {', '.join(floats)}",
                next_step="name the learned ones with Subject(running=...), or give `fresh`, which makes new networks",
            )
        same = copy.copy(self)
        same._searched = True
        same.running = tuple(sorted({*self.running, *found}))
        return same

    def integrity(self, inputs: Inputs) -> Integrity:
        """Integrity checks: run twice plainly, with different random draws, then while every site is read, and compare outputs
        and weights bit by bit; run a few examples by themselves, whose outputs must not depend on their batch. The caller's
        random state is left unchanged."""
        rows = {name: value[: self.batch_size] for name, value in inputs.items()}
        with undisturbed(self.module):
            sites = self.sites(inputs)

            def outputs(given: Inputs, *, watched: bool = False) -> list[Tensor]:
                handles = [catch(*self._module_and_side(site.name), deque(maxlen=0)) for site in sites if watched]
                with self._running(handles):
                    return [found for _, batch in self._batches(given) for found in candidates(self._run(batch)).values()]

            watched = partial(outputs, watched=True)
            return integrity(self.module, outputs, watched, rows, first=self._at_first, num_sites=len(sites))

    def _collected(
        self, inputs: Inputs, sites: Sequence[str], find: Callable[[slice, Inputs], Calls], each: Replacement = Tensor.detach
    ) -> dict[str, Tensor]:
        """Tensors that `find` returns for every batch, site and call, joined to one tensor for each site."""
        known = self._surveyed(inputs).sites
        if missing := [site for site in sites if plain(site) not in known]:
            raise self._unknown_place(missing[0], inputs)
        chunks: Calls = {site: [] for site in sites}
        with undisturbed(self.module):
            for rows, batch in self._batches(inputs):
                num = len(next(iter(batch.values())))
                for site, calls in find(rows, batch).items():
                    if len(calls) != known[plain(site)].calls or any(len(call) != num for call in calls):
                        raise AssayError(
                            f"{site} must run equally often in every batch, each time with all of its examples",
                            given=f"{[tuple(call.shape) for call in calls]} for {num} examples",
                            next_step="choose another site, such as the enclosing module",
                        )
                    chunks[site].append(each(calls[0] if len(calls) == 1 else torch.stack(calls, 1)).cpu())
        return {s: torch.cat(some) if some else each(torch.zeros(0, *known[plain(s)].shape)) for s, some in chunks.items()}

    def _batches(self, inputs: Inputs) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        total = len(next(iter(inputs.values())))
        size = self._at_once(inputs) if total > LEAST else self.batch_size
        for start in range(0, total, size):
            rows = slice(start, start + size)
            # Copied, because a module may modify its inputs in place.
            yield rows, {name: value[rows].to(self.device, copy=True) for name, value in inputs.items()}

    def _at_once(self, inputs: Inputs) -> int:
        """Examples per pass: on a CPU at most as many as fit its cache."""
        shapes = tuple(value.shape[1:] for value in inputs.values())
        if self.device.type == "cpu" and shapes not in self._fitting:
            two = spread_sample(inputs, 2, self.device)
            with undisturbed(self.module, 0):
                self._fitting[shapes] = fitting_batch_size(self.module, lambda handles: self._hooked(two, handles))
        return min(self.batch_size, self._fitting.get(shapes, self.batch_size))

    def _hooked(self, batch: Inputs, handles: list[RemovableHandle]) -> object:
        with self._running(handles):
            return self._run(batch)

    def _forward(self, batch: Inputs) -> Tensor:
        return answer_of(self._run(batch))

    def _run(self, batch: Inputs) -> object:
        try:
            return self.module(**as_taken(self.module, batch))
        except (AssayError, MemoryError):
            raise
        except Exception as error:  # the user's code may raise anything
            raise forward_failed(self.module, batch, error) from error

    def _run_batch(self, batch: Inputs) -> Tensor:
        """Outputs of one batch, without gradients."""
        with self._running([]):
            return self._forward(batch)

    def _sample(self, inputs: Inputs, count: int) -> object:
        """Return value of forward on a few examples."""
        return self._hooked(spread_sample(inputs, count, self.device), [])

    def _survey(self, inputs: Inputs) -> Places:
        """Survey of the sites, on a few examples."""
        refuse_scripted(self.module)
        some = spread_sample(inputs, EXAMPLES, self.device)
        with undisturbed(self.module):
            return survey(self.module, lambda rows, handles: self._hooked({k: v[list(rows)] for k, v in some.items()}, handles))

    def _surveyed(self, inputs: Inputs) -> Places:
        """Cached survey, one for each structure and shape of the inputs."""
        shapes = tuple((name, value.shape[1:], value.dtype) for name, value in inputs.items())
        key = shapes, tuple((name, id(part)) for name, part in self.module.named_modules())
        if key not in self._surveys:
            self._surveys[key] = self._survey(inputs)
        return self._surveys[key]

    def _check_place(self, site: str, inputs: Inputs) -> None:
        """**Raises:** `AssayError` for a site whose tensor the network does not use, since a patch there would have no
        effect."""
        refuse_scripted(self.module)
        name, _, side = plain(site).rpartition(":")
        if side not in SIDES or name not in dict(self.module.named_modules()) or plain(site) in self._surveyed(inputs).unused:
            raise self._unknown_place(site, inputs)

    def _unknown_place(self, site: str, inputs: Inputs) -> AssayError:
        return AssayError("a site must exist in this network", given=site, choices=(s.name for s in self.sites(inputs)))

    @contextmanager
    def _running(self, handles: list[RemovableHandle]) -> Iterator[None]:
        try:
            with undisturbed(self.module), torch.no_grad(), uncompiled():
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _module_and_side(self, site: str) -> tuple[nn.Module, str]:
        name, _, side = plain(site).rpartition(":")
        return self.module.get_submodule(name), side

    def _replace_hook(self, site: str, new: Tensor | Replacement, rows: slice, replaced: set[str]) -> RemovableHandle:
        return replace(*self._module_and_side(site), replacement(site, new, rows, replaced))
