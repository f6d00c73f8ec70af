"""Wide states in fewer dimensions: their principal components, fitted on training words alone.

A probe's cost grows with the width of the states, and a probe of rank 64 needs no 4,096 dimensions. Distances and angles within
the components are what they were, so that probes, their nulls and their scores mean the same.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Generator, Tensor

from assay.instruments.polar.targets import Sample

WIDEST = 512  # states that are not wider stay as they are; wider ones keep so many components
_MOST_NODES = 10_000
_CHUNK = 4_096


@dataclass(frozen=True)
class Reduction:
    """Principal components of every layer.

    **Attributes:**

    - `basis` `(layers, width, kept)`: orthonormal columns.
    - `share` `(layers,)`: of the variance of training words, what they keep.
    """

    basis: Float[Tensor, "layers width kept"]
    share: Float[Tensor, " layers"]

    @classmethod
    def fit(cls, train: Sample, kept: int, *, generator: Generator) -> "Reduction":
        """The `kept` components along which the states of training words vary most, or as many as there are words."""
        from sklearn.decomposition import PCA

        seed = int(torch.randint(2**31, (1,), generator=generator))
        some = torch.randperm(train.states.shape[1], generator=generator)[:_MOST_NODES]
        bases, shares = [], []
        for states in train.states:
            found = PCA(min(kept, len(some)), random_state=seed).fit(states[some].float().numpy())
            bases.append(torch.from_numpy(found.components_).float().mT)
            shares.append(min(1.0, float(found.explained_variance_ratio_.sum())))
        return cls(torch.stack(bases), torch.tensor(shares))

    def applied(self, sample: Sample) -> Sample:
        """The same texts in the components. The mean stays in: a probe of depth measures from the origin."""
        return sample.with_states(torch.stack([_product(*pair) for pair in zip(sample.states, self.basis, strict=True)]))

    @property
    def told(self) -> str:
        """In words."""
        _, width, kept = self.basis.shape
        least, most = float(self.share.min()), float(self.share.max())
        return f"{kept} of {width} dimensions, {least:.3f} to {most:.3f} of the variance of training words"


def _product(states: Shaped[Tensor, "nodes width"], basis: Float[Tensor, "width kept"]) -> Float[Tensor, "nodes kept"]:
    """Chunk by chunk: the states may be a memory map that is larger than memory."""
    return torch.cat([some.float() @ basis for some in states.split(_CHUNK)])
