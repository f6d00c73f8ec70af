"""The network under test: any `nn.Module`, run, read and changed at its sites through plain hooks.

A site is the input or the output of a module by dotted name: `layers.0:in`, `layers.0:out`. Weights are never
rewritten, and reading never changes an output bit; `Subject.integrity` checks it.
"""

import copy
import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.utils.hooks import RemovableHandle

from assay.errors import AssayError

Inputs = Mapping[str, Tensor]
Replacement = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Site:
    """A place where activations are read or replaced.

    **Attributes:**

    - `name`: dotted module name and side, such as `blocks.1.mlp:out`.
    - `shape`: of one example, without the batch dimension. Modules that run several times in one forward are read as a
      sequence of calls: `(calls, ...)`.
    - `calls`: how often the module runs in one forward.
    """

    name: str
    shape: tuple[int, ...]
    calls: int = 1


@dataclass(frozen=True)
class Integrity:
    """Whether reading left everything as it was, to the bit."""

    outputs_identical: bool
    weights_identical: bool
    num_examples: int
    num_sites: int

    @property
    def holds(self) -> bool:
        return self.outputs_identical and self.weights_identical


class Subject:
    """A network and how to run it.

    **Arguments:**

    - `module`: any `nn.Module`. It is put in evaluation mode; its weights are never changed.
    - `name`: how reports call it.
    - `fresh`: makes a new, untrained module of the same architecture from a generator. Without it `untrained` draws the
      weights of a copy again through each submodule's own `reset_parameters`.
    - `batch_size`: examples per forward pass.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        name: str = "subject",
        fresh: Callable[[Generator], nn.Module] | None = None,
        batch_size: int = 1024,
    ):
        self.module = module.eval()
        self.name = name
        self.fresh = fresh
        self.batch_size = batch_size

    @property
    def device(self) -> torch.device:
        """Where the weights are (the CPU for a module without weights)."""
        return next((tensor.device for tensor in self.module.parameters()), torch.device("cpu"))

    def weights(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, detached: what `torch.func.functional_call` takes. They share memory: read only."""
        return {name: value.detach() for name, value in self.module.state_dict(keep_vars=True).items()}

    def num_weights(self) -> int:
        """How many trainable numbers it has."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    # Running

    def __call__(self, inputs: Inputs, *, replace: Mapping[str, Tensor | Replacement] | None = None) -> Tensor:
        """Outputs `(n, ...)` on the CPU, without gradients, in batches.

        `replace` maps site names to what shall be there instead: a tensor with `n` rows of the site's shape, or a
        function of the activation. Nothing is replaced by default.
        """
        outputs = []
        for rows, batch in self._batches(inputs):
            handles = [self._replace_hook(site, new, rows) for site, new in (replace or {}).items()]
            with self._running(handles):
                outputs.append(self._forward(batch).cpu())
        return torch.cat(outputs) if outputs else self._empty_output(inputs)

    def read(self, inputs: Inputs, sites: Sequence[str]) -> dict[str, Tensor]:
        """Activations `(n, ...)` at the chosen sites, on the CPU, in the dtype they have, from one forward per batch."""
        known = {site.name: site for site in self.sites(inputs)}
        for site in sites:
            if site not in known:
                self.match(site, inputs)  # raises with the choices
        chunks: dict[str, list[Tensor]] = {site: [] for site in sites}
        for _, batch in self._batches(inputs):
            caught: dict[str, list[Tensor]] = {site: [] for site in sites}
            with self._running([self._catch_hook(site, caught[site]) for site in sites]):
                self._forward(batch)
            for site in sites:
                calls = caught[site]
                chunks[site].append((calls[0] if len(calls) == 1 else torch.stack(calls, 1)).cpu())
        return {site: torch.cat(parts) if parts else torch.zeros(0, *known[site].shape) for site, parts in chunks.items()}

    def sites(self, inputs: Inputs) -> tuple[Site, ...]:
        """Every distinct place of the network, in the order of execution, found by one forward on at most two examples.

        A place is listed once: the output that the next module takes unchanged appears as the output only. Places
        whose first dimension is not the examples, or that hold no floating-point numbers, are left out.
        """
        rows = {name: value[:2].to(self.device) for name, value in inputs.items()}
        num_rows = len(next(iter(rows.values())))
        if num_rows == 0:
            rows = {
                name: torch.zeros(1, *value.shape[1:], dtype=value.dtype, device=value.device) for name, value in rows.items()
            }
            num_rows = 1
        caught: dict[str, list[Tensor]] = {}
        identities: dict[str, list[tuple[int, int]]] = {}

        def note(name: str, value: object) -> None:
            tensor = _first_tensor(value)
            if tensor is None or not tensor.is_floating_point() or tensor.ndim < 2 or len(tensor) != num_rows:
                return
            caught.setdefault(name, []).append(tensor)  # kept alive, so that no two of this forward share an id
            identities.setdefault(name, []).append((id(tensor), tensor._version))

        handles: list[RemovableHandle] = []
        for name, module in self.module.named_modules():
            if name:
                handles.append(
                    module.register_forward_pre_hook(
                        lambda m, args, kwargs, name=name: note(f"{name}:in", (args, kwargs)), with_kwargs=True
                    )
                )
                handles.append(module.register_forward_hook(lambda m, args, out, name=name: note(f"{name}:out", out)))
        with self._running(handles):
            self._forward(rows)
        found: list[Site] = []
        seen: set[tuple[int, int]] = set()
        for name, calls in caught.items():
            same_shape = all(call.shape == calls[0].shape for call in calls)
            if same_shape and not seen.issuperset(identities[name]):
                shape = tuple(calls[0].shape[1:])
                found.append(Site(name, shape if len(calls) == 1 else (len(calls), *shape), len(calls)))
            seen.update(identities[name])
        return tuple(found)

    def match(self, patterns: str | Sequence[str], inputs: Inputs) -> tuple[Site, ...]:
        """Sites whose name fits a glob pattern. A pattern without `:in` or `:out` means the outputs.

        **Raises:** `AssayError` listing all sites when a pattern fits none.
        """
        sites = self.sites(inputs)
        chosen: dict[str, Site] = {}
        for pattern in [patterns] if isinstance(patterns, str) else patterns:
            full = pattern if pattern.endswith((":in", ":out", ":*")) else f"{pattern}:out"
            fitting = [site for site in sites if fnmatch.fnmatchcase(site.name, full)]
            if not fitting:
                raise AssayError("a site must be a place of this network", given=pattern, choices=[site.name for site in sites])
            chosen.update({site.name: site for site in fitting})
        return tuple(site for site in sites if site.name in chosen)

    # The network's twins and its safety

    def untrained(self, generator: Generator) -> "Subject":
        """A copy of the same architecture with freshly drawn weights; this subject stays as it is."""
        if self.fresh is not None:
            module = self.fresh(generator).to(self.device)
        else:
            module = _redrawn(self.module, generator)
        return Subject(module, name=f"{self.name}, untrained", fresh=self.fresh, batch_size=self.batch_size)

    def integrity(self, inputs: Inputs) -> Integrity:
        """Run plainly, then while every site is read, and compare outputs and weights bit for bit."""
        before = {name: value.clone() for name, value in self.weights().items()}
        sites = self.sites(inputs)
        rows = {name: value[: self.batch_size] for name, value in inputs.items()}
        plain = self(rows)
        with self._running([self._catch_hook(site.name, []) for site in sites]):
            hooked = self._forward({name: value.to(self.device) for name, value in rows.items()}).cpu()
        after = self.weights()
        return Integrity(
            outputs_identical=bool(torch.equal(plain.view(torch.uint8), hooked.view(torch.uint8))) if plain.numel() else True,
            weights_identical=all(_same_bits(before[name], after[name]) for name in before),
            num_examples=len(plain),
            num_sites=len(sites),
        )

    # Inside

    def _batches(self, inputs: Inputs) -> Iterator[tuple[slice, dict[str, Tensor]]]:
        total = len(next(iter(inputs.values())))
        for start in range(0, total, self.batch_size):
            rows = slice(start, start + self.batch_size)
            yield rows, {name: value[rows].to(self.device) for name, value in inputs.items()}

    def _forward(self, batch: Inputs) -> Tensor:
        try:
            result = self.module(**batch)
        except TypeError as error:
            raise AssayError(
                "the subject's forward must accept the task's inputs as keyword arguments",
                given=f"{sorted(batch)} and {error}",
                next_step="wrap the module in one whose forward has these names",
            ) from error
        tensor = _first_tensor(getattr(result, "logits", result))
        if tensor is None:
            raise AssayError(
                "the subject's forward must return a tensor, or something that starts with one", given=type(result).__name__
            )
        return tensor

    def _empty_output(self, inputs: Inputs) -> Tensor:
        one = {name: torch.zeros(1, *value.shape[1:], dtype=value.dtype) for name, value in inputs.items()}
        return self(one)[:0]

    @contextmanager
    def _running(self, handles: list[RemovableHandle]) -> Iterator[None]:
        # PyTorch's fused encoder path is skipped under hooks and differs in the last bit, so it is off for every run.
        fused = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with torch.no_grad():
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for handle in handles:
                handle.remove()

    def _module_and_side(self, site: str) -> tuple[nn.Module, str]:
        name, _, side = site.rpartition(":")
        return self.module.get_submodule(name), side

    def _catch_hook(self, site: str, calls: list[Tensor]) -> RemovableHandle:
        def catch(value: object) -> None:
            tensor = _first_tensor(value)
            assert tensor is not None, f"{site} held no tensor"
            calls.append(tensor.detach().clone())  # cloned: a later in-place module would change it

        module, side = self._module_and_side(site)
        if side == "in":
            return module.register_forward_pre_hook(lambda m, args, kwargs: catch((args, kwargs)), with_kwargs=True)
        return module.register_forward_hook(lambda m, args, out: catch(out))

    def _replace_hook(self, site: str, new: Tensor | Replacement, rows: slice) -> RemovableHandle:
        module, side = self._module_and_side(site)
        call = iter(range(10**9))

        def changed(old: Tensor) -> Tensor:
            index = next(call)
            if not isinstance(new, Tensor):
                return new(old)
            value = new[rows].to(device=old.device, dtype=old.dtype)
            if value.shape != old.shape and value.ndim == old.ndim + 1:
                value = value[:, index]
            if value.shape != old.shape:
                raise AssayError(f"what replaces {site} must have its shape {tuple(old.shape)}", given=tuple(value.shape))
            return value

        if side == "in":
            return module.register_forward_pre_hook(
                lambda m, args, kwargs: _with_first_tensor((args, kwargs), changed), with_kwargs=True
            )
        return module.register_forward_hook(lambda m, args, out: _with_first_tensor(out, changed))


def _first_tensor(value: object) -> Tensor | None:
    """The first tensor in a nest of tuples, lists and dictionaries, depth first."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return next((found for item in value if (found := _first_tensor(item)) is not None), None)
    return None


def _with_first_tensor(value, change: Replacement):
    """The same nest with its first tensor changed; containers keep their type."""
    done = False

    def walk(item):
        nonlocal done
        if done:
            return item
        if isinstance(item, Tensor):
            done = True
            return change(item)
        if isinstance(item, Mapping):
            changed = copy.copy(item)
            for key in item:
                changed[key] = walk(item[key])
            return changed
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            return type(item)(*(walk(entry) for entry in item))
        if isinstance(item, (tuple, list)):
            return type(item)(walk(entry) for entry in item)
        return item

    return walk(value)


def _same_bits(a: Tensor, b: Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a.contiguous().view(torch.uint8), b.contiguous().view(torch.uint8))


def _redrawn(module: nn.Module, generator: Generator) -> nn.Module:
    """A copy whose weights are drawn again: by each submodule's own initialiser where it has one, else by shuffling
    the entries of the trained tensor, which keeps their distribution and destroys what was learned."""
    fresh = copy.deepcopy(module)
    reset: set[int] = set()
    with torch.random.fork_rng():
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        for part in fresh.modules():
            redraw = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
            if callable(redraw):
                redraw()
                reset.update(id(parameter) for parameter in part.parameters())
        with torch.no_grad():
            for parameter in fresh.parameters():
                if id(parameter) not in reset and parameter.numel() > 1:
                    flat = parameter.flatten()[torch.randperm(parameter.numel(), device=parameter.device)]
                    parameter.copy_(flat.view_as(parameter))
    return fresh.eval()
