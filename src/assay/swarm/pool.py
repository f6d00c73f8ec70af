"""Pools of experts of one base: the coordinates of a search are coefficients, one for each expert.

The update of a particle swarm, crossover and every linear merge give all weights of one expert the same coefficient, so a
candidate among K experts is K numbers, whatever the size of the network (see docs/methods/swarm.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from assay.errors import AssayError
from assay.store import read_tensors
from assay.swarm.expert import Expert, Factors, check_finite, difference, read_expert, wide

Space = Literal["delta", "factor", "full"]
Span = Literal["affine", "linear"]
Coefficients = Sequence[float | int] | np.ndarray | Tensor
Source = Expert | Mapping[str, Tensor] | Path | str


@dataclass(frozen=True, kw_only=True)
class LowRank:
    """The factors of all experts that change one weight.

    **Attributes:** `down` `(R, in)`, `up` `(out, R)`: concatenated factors. `owner` `(R,)`: the expert of each row. `scale`:
    common scale in factor space; 1 in delta space, where each expert's scale is part of its `up`.
    """

    down: Float[Tensor, "R i"]
    up: Float[Tensor, "o R"]
    owner: Tensor
    scale: float
    transposed: bool


class ExpertPool:
    """Experts of one base, and the networks given by vectors of coefficients.

    **Arguments:**

    - `base`: a module, its state dict, or a safetensors file.
    - `experts`: by name, each a PEFT LoRA folder, a safetensors file or state dict of whole weights, or an `Expert`.
    - `space`: `delta` adds coefficient times the change of each weight. `factor` mixes the two factors of LoRA separately, as
      the reference code of Feng et al. does: `(sum c B)(sum c A)` has cross terms, and depends on how each change is factored.
      `full` is `delta` with every change as a dense matrix: for whole weights, and for changes outside linear layers.
    - `span`: `affine`, the published search space, in which coefficients sum to 1, or `linear`, which contains "base + A + B".

    **Raises:** `AssayError` for experts of different bases, heads or vocabularies (another name, shape or declared base),
    weights that are not finite, and in factor space for unequal ranks, scales or sets of weights.

    Example::

        >>> from assay.swarm.pool import ExpertPool
        >>> base = {"weight": torch.zeros(2, 2)}
        >>> experts = {"a": {"weight": torch.ones(2, 2)}, "b": {"weight": torch.eye(2)}}
        >>> pool = ExpertPool(base, experts, space="full", span="linear")
        >>> pool.weights([0.5, 2.0])["weight"].tolist()
        [[2.5, 0.5], [0.5, 2.5]]
    """

    def __init__(
        self,
        base: nn.Module | Mapping[str, Tensor] | Path | str,
        experts: Mapping[str, Source],
        *,
        space: Space = "delta",
        span: Span = "affine",
    ):
        for what, given, kinds in (("space", space, Space), ("span", span, Span)):
            if given not in get_args(kinds):
                raise AssayError(f"{what} must be known", given=given, choices=get_args(kinds))
        if len(experts) < 2:
            raise AssayError("a pool needs at least two experts", given=len(experts))
        self.space: Space = space
        self.span: Span = span
        self.base = _state(base)
        self.names = tuple(experts)
        read = {name: _read(expert) for name, expert in experts.items()}
        _check_same_base(read)
        self._experts = {name: self._changes(name, expert) for name, expert in read.items()}
        touched = [weight for weight in self.base if any(weight in changes for changes in self._experts.values())]
        if not touched:
            raise AssayError("experts must differ from their base", given="experts that equal it in every weight")
        self.low_rank = {w: self._concatenated(w) for w in touched if self._is_low_rank(w)}
        self.dense = {w: self._stacked(w) for w in touched if w not in self.low_rank}

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"ExpertPool({', '.join(self.names)}; space={self.space}, span={self.span})"

    def changes(self, coefficients: Coefficients) -> dict[str, Tensor]:
        """The changes of a candidate, for each weight that any expert changes.

        **Arguments:** `coefficients` `(K,)`; differentiable.
        """
        c = self._checked(coefficients)
        found = {}
        for weight in self.low_rank:
            found[weight] = self.low_rank_change(weight, c)
        for weight, stack in self.dense.items():
            found[weight] = torch.einsum("k...,k->...", stack, c.to(stack.dtype))
        return found

    def low_rank_change(self, weight: str, coefficients: Float[Tensor, "*p K"]) -> Float[Tensor, "*p a b"]:
        """Changes of candidates in one weight that all experts change by low-rank factors."""
        factors = self.low_rank[weight]
        rows = coefficients.to(factors.down.dtype)[..., factors.owner]
        if self.space == "factor":
            rank = rows.shape[-1] // len(self)
            down = (rows[..., None] * factors.down).unflatten(-2, (-1, rank)).sum(-3)
            up = (factors.up * rows[..., None, :]).unflatten(-1, (-1, rank)).sum(-2)
            product = factors.scale * (up @ down)
        else:
            product = (factors.up * rows[..., None, :]) @ factors.down
        return product.mT if factors.transposed else product

    def factors(self, coefficients: Coefficients) -> dict[str, Factors]:
        """A candidate as one LoRA adapter, without forming a matrix: of the experts' rank in factor space, of the sum of their
        ranks in delta space. Changes of whole weights are left out."""
        c, found = self._checked(coefficients), {}
        for weight, each in self.low_rank.items():
            rows = c.to(each.down.dtype)[each.owner]
            down, up = each.down, each.up * rows if self.space != "factor" else each.up
            if self.space == "factor":
                mixed, rank = c.to(down.dtype), len(rows) // len(self)
                down, up = ((mixed @ side.reshape(len(self), -1)).reshape(rank, -1) for side in (down, up.T))
                up = up.T
            found[weight] = Factors(down=down, up=up, scale=each.scale, transposed=each.transposed)
        return found

    def weights(self, coefficients: Coefficients) -> dict[str, Tensor]:
        """The whole state dict of a candidate."""
        return self.applied(self.changes(coefficients))

    def applied(self, changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The base with changes added, in the base's precision."""
        return {
            name: (wide(tensor) + changes[name]).to(tensor.dtype) if name in changes else tensor
            for name, tensor in self.base.items()
        }

    def stacked(self, weight: str) -> Float[Tensor, "K *shape"]:
        """Every expert's own change of one weight."""
        if weight in self.dense:
            return self.dense[weight]
        return self._stacked(weight)

    def gram(self) -> Float[np.ndarray, "K K"]:
        """Inner products of the experts' changes over all weights, without forming low-rank changes as matrices."""
        total = torch.zeros(len(self), len(self), dtype=torch.float64)
        for factors in self.low_rank.values():
            down, up = factors.down.double(), factors.up.double()
            each = (up.T @ up) * (down @ down.T) * factors.scale**2
            total.index_put_((factors.owner[:, None], factors.owner[None]), each, accumulate=True)
        for stack in self.dense.values():
            flat = stack.flatten(1).double()
            total += flat @ flat.T
        return total.numpy()

    def without(self, *names: str) -> "ExpertPool":
        """The pool of the other experts."""
        self._check_names(names)
        return self._with({name: changes for name, changes in self._experts.items() if name not in names})

    def with_noise(self, num: int, rng: Generator) -> "ExpertPool":
        """This pool with `num` random directions: each a random change with the norms of a random expert.

        A search over it may leave the span of the experts, as mutation of the weights does (MERGEvolve, arXiv 2606.28373).
        """
        return self._with({**self._experts, **{f"noise {k}": self._noise(rng) for k in range(num)}})

    def noise(self, rng: Generator) -> "ExpertPool":
        """A null of the same size: every expert replaced by a random change with the same norms and ranks."""
        return self._with({name: self._like(changes, rng) for name, changes in self._experts.items()})

    def _noise(self, rng: Generator) -> dict[str, Factors | Tensor]:
        names = list(self._experts)
        return self._like(self._experts[names[int(torch.randint(len(names), (1,), generator=rng))]], rng)

    @staticmethod
    def _like(changes: Mapping[str, Factors | Tensor], rng: Generator) -> dict[str, Factors | Tensor]:
        drawn: dict[str, Factors | Tensor] = {}
        for weight, change in changes.items():
            if isinstance(change, Factors):
                # Rotations of inputs and outputs preserve the norm, rank and singular values of the change.
                down, up = (_rotated(factor, rng) for factor in (change.down, change.up.T))
                drawn[weight] = Factors(down=down, up=up.T, scale=change.scale, transposed=change.transposed)
            else:
                noise = torch.randn(change.shape, generator=rng, dtype=change.dtype)
                drawn[weight] = noise * (change.norm() / noise.norm().clamp(min=1e-30))
        return drawn

    def _with(self, experts: Mapping[str, Mapping[str, Factors | Tensor]]) -> "ExpertPool":
        whole = {name: Expert(changes=changes) for name, changes in experts.items()}
        return ExpertPool(self.base, whole, space=self.space, span=self.span)

    def _check_names(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.names:
                raise AssayError("an expert must be one of the pool", given=name, choices=self.names)

    def _checked(self, coefficients: Coefficients) -> Tensor:
        c = coefficients if isinstance(coefficients, Tensor) else torch.as_tensor(np.asarray(coefficients, dtype=np.float64))
        if c.shape != (len(self),):
            raise AssayError("a candidate must have one coefficient for each expert", given=c, next_step=f"give {len(self)}")
        return c

    def _changes(self, name: str, expert: Expert) -> dict[str, Factors | Tensor]:
        """The expert's changes of the base, checked against it, in the pool's space."""
        changes: dict[str, Factors | Tensor] = dict(expert.changes)
        for weight in (*changes, *expert.values):
            if weight not in self.base:
                raise AssayError(
                    "experts and base must be of one architecture: every weight of an expert must be in the base",
                    given=f"{weight} of expert {name}",
                    choices=list(self.base),
                )
        for weight, tensor in (*((w, c) for w, c in changes.items()), *expert.values.items()):
            if tuple(tensor.shape) != tuple(self.base[weight].shape):
                raise AssayError(
                    "experts must share the shapes of their base: another shape is another base, head or vocabulary",
                    given=f"{weight} of expert {name} is {tuple(tensor.shape)} and {tuple(self.base[weight].shape)} in base",
                )
        if expert.values and not expert.changes and (lacking := [w for w in self.base if w not in expert.values]):
            raise AssayError(
                "a state dict must hold every weight of the base",
                given=f"expert {name} without {', '.join(lacking[:5])}",
                next_step="give the whole state dict, or LoRA factors",
            )
        for weight, tensor in expert.values.items():
            base = self.base[weight]
            if not base.is_floating_point():
                if not torch.equal(base, tensor):
                    raise AssayError("weights that are whole numbers must be those of the base", given=f"{weight} of {name}")
            elif not torch.equal(base, tensor):
                changes[weight] = wide(tensor) - wide(base)
        check_finite(name, changes)
        if self.space == "full":
            return {weight: c.dense() if isinstance(c, Factors) else c for weight, c in changes.items()}
        return changes

    def _is_low_rank(self, weight: str) -> bool:
        mine = [changes[weight] for changes in self._experts.values() if weight in changes]
        if self.space == "factor":
            same = len(mine) == len(self) and all(isinstance(change, Factors) for change in mine)
            shapes = {(change.down.shape[0], change.scale) for change in mine if isinstance(change, Factors)}
            if not same or len(shapes) > 1:
                given = ", ".join(f"rank {rank} with scale {scale:g}" for rank, scale in sorted(shapes))
                raise AssayError(
                    "in factor space all experts must change the same weights with LoRA factors of one rank and one scale",
                    given=f"{weight}: {len(mine)} of {len(self)} experts, {given or 'none with factors'}",
                    next_step="use space='delta', which takes mixed ranks and depends on no factoring",
                )
        return all(isinstance(change, Factors) for change in mine)

    def _concatenated(self, weight: str) -> LowRank:
        each = [(k, c[weight]) for k, c in enumerate(self._experts.values()) if weight in c]
        factors = [(k, change) for k, change in each if isinstance(change, Factors)]
        fold = self.space != "factor"
        return LowRank(
            down=torch.cat([change.down for _, change in factors]).contiguous(),
            # Row by row of each factor, so that the rows of one expert are contiguous.
            up=torch.cat([(change.up * change.scale if fold else change.up).T for _, change in factors]).T,
            owner=torch.cat([torch.full((change.down.shape[0],), k) for k, change in factors]),
            scale=1.0 if fold else factors[0][1].scale,
            transposed=factors[0][1].transposed,
        )

    def _stacked(self, weight: str) -> Tensor:
        zero = torch.zeros_like(wide(self.base[weight]))
        changes = (experts.get(weight, zero) for experts in self._experts.values())
        return torch.stack([change.dense() if isinstance(change, Factors) else change for change in changes])


def _rotated(factor: Float[Tensor, "r n"], rng: Generator) -> Float[Tensor, "r n"]:
    """Randomly rotated rows with the same inner products: a basis of random rows times the old triangle."""
    noise = torch.randn(factor.shape[1], factor.shape[0], generator=rng, dtype=factor.dtype)
    if factor.shape[0] > factor.shape[1]:  # more rows than dimensions have no such basis
        return noise.T * (factor.norm() / noise.norm())
    return (torch.linalg.qr(noise).Q @ torch.linalg.qr(factor.T).R).T


def _state(base: nn.Module | Mapping[str, Tensor] | Path | str) -> dict[str, Tensor]:
    if isinstance(base, nn.Module):
        base = base.state_dict()
    if not isinstance(base, Mapping):
        base, _ = read_tensors(base)
    state = {name: tensor.detach() for name, tensor in base.items()}
    check_finite("base", {name: tensor for name, tensor in state.items() if tensor.is_floating_point()})
    return state


def _read(expert: Source) -> Expert:
    if isinstance(expert, Expert):
        return expert
    return difference(expert) if isinstance(expert, Mapping) else read_expert(expert)


def _check_same_base(experts: Mapping[str, Expert]) -> None:
    declared = {name: expert.base for name, expert in experts.items() if expert.base}
    if len(set(declared.values())) > 1:
        raise AssayError(
            "all experts must have been trained from one base",
            given=", ".join(f"{name} from {base}" for name, base in declared.items()),
            next_step="merge only siblings: networks with different bases have no common coordinates",
        )
