"""Separation of object-wise states: decoding of the binding, leakage between objects, and a common format.

States are `(n, k, d)`: k objects (slots, tokens, pooled places) with d units each, in the order of the declared attributes
`(n, k, a)`. Read-outs are ridge regressions on one-hot attributes, shared by all objects and evaluated on scenes outside the
fit.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from assay.errors import AssayError
from assay.probe import Design, one_hot

FOLDS = 5
MOST_UNITS = 24
"""Principal components of the states whose products are read: with more components the read-out would overfit."""


def left_out(features: Float[Tensor, "n d"], targets: Float[Tensor, "n c"], groups: Int[Tensor, " n"]) -> Float[Tensor, "n c"]:
    """Cross-validated predictions of a ridge regression, in `FOLDS` folds of whole groups.

    **Raises:** `AssayError` for fewer groups than folds.
    """
    each, number = groups.unique(return_inverse=True)
    if len(each) < FOLDS:
        raise AssayError(f"a read-out needs {FOLDS} groups of scenes for cross-validation", given=f"{len(each)} groups")
    # Groups are dealt to folds in turn: consecutive groups share attributes, and a block could hold all scenes of one.
    fold = torch.randperm(len(each), generator=Generator().manual_seed(0))[number] % FOLDS
    longest = int(fold.bincount().max())
    order = fold.argsort(stable=True)
    place = torch.arange(len(order)) - (fold.bincount().cumsum(0) - fold.bincount())[fold[order]]
    table = torch.zeros(1, FOLDS, longest, features.shape[1])
    wanted = torch.zeros(1, FOLDS, longest, targets.shape[1])
    used = torch.zeros(1, FOLDS, longest, dtype=torch.bool)
    table[0, fold[order], place], wanted[0, fold[order], place] = features[order].float(), targets[order].float()
    used[0, fold[order], place] = True
    found = Design.of(table, used).fit(wanted, group=targets.shape[1]).left_out()
    predictions = torch.zeros(len(order), targets.shape[1])
    predictions[order] = found[0, fold[order], place]
    return predictions


def components(states: Float[Tensor, "*shape d"], most: int = MOST_UNITS) -> Float[Tensor, "d r"]:
    """The leading principal components of the states, at most `most`."""
    rows = states.reshape(-1, states.shape[-1]).float()
    _, sizes, directions = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)
    kept = (sizes > 1e-5 * sizes[:1].clamp(min=1e-12))[:most]
    return directions[:most][kept].mT


def which(
    states: Float[Tensor, "n k d"],
    exchanged: Float[Tensor, "n k d"],
    attributes: Int[Tensor, "n 2 2"],
    *,
    num_values: Sequence[int],
    groups: Int[Tensor, " n"],
) -> Float[Tensor, " n"]:
    """Decoding of the binding: of two scenes with the same attributes bound differently, which is which?

    Row r of `states` holds two objects with the two attributes `attributes[r]`; row r of `exchanged` holds them with the second
    attribute exchanged. The features of a scene are the sum over objects of the state and of the products of its units. A
    linear read-out predicts, from the difference of the features of the two scenes, the difference of their tables of which
    values of the two attributes go together; it is right where the prediction has a positive inner product with the true
    difference. A state that holds only the sum of all features is the same for both scenes and scores .5.

    **Arguments:** `groups`: rows with the same attributes share a group, and no read-out is evaluated on a group in its fit.

    **Returns:** for each row 1 where the read-out is right, 0 where it is wrong, .5 where it cannot tell.
    """
    axes = components(torch.cat([states, exchanged]))

    def pooled(each: Tensor) -> Tensor:
        units = each.float() @ axes
        products = torch.einsum("nki,nkj->nij", units, units).flatten(1)
        return torch.cat([units.sum(1), products], 1)

    one, other = pooled(states), pooled(exchanged)
    difference = one - other
    scale = difference.abs().amax()
    if float(scale) < 1e-6 * float(one.abs().amax().clamp(min=1e-12)):
        return torch.full((len(states),), 0.5)
    first, second = (one_hot(attributes[..., a], values) for a, values in enumerate(num_values))
    table = torch.einsum("ni,nj->nij", first[:, 0] - first[:, 1], second[:, 0] - second[:, 1]).flatten(1)
    # Each difference enters in both orders, so that a constant prediction is of no use.
    said = left_out(torch.cat([difference, -difference]) / scale, torch.cat([table, -table]), torch.cat([groups, groups]))
    return (torch.sign((said[: len(states)] * table).sum(1)) + 1) / 2


def isolation(
    states: Float[Tensor, "n k d"],
    changed: Float[Tensor, "n k d"],
    attributes: Int[Tensor, "n k a"],
    *,
    num_values: Sequence[int],
) -> tuple[float, Float[Tensor, " n"]]:
    """1 minus leakage: when one attribute of the first object changes, the movement of the read-outs of the second object, as a
    share of that of the first. It is 1 for independent states and 0 where the change affects both objects equally.

    **Returns:** the value, and its linearisation in the scenes, whose mean is the value.

    **Raises:** `AssayError` where the change moves no state at all.
    """
    n, k, _ = states.shape
    scenes = torch.arange(n).repeat_interleave(k)
    targets = torch.cat([one_hot(attributes[..., a].flatten(), values) for a, values in enumerate(num_values)], 1)
    features = states.flatten(0, 1).float()
    fit = Design.of(features[None, None]).fit(targets[None, None], group=targets.shape[1]).probe()
    moved = ((changed - states).flatten(0, 1).float() @ fit.weights[0]).norm(dim=1).view(n, k).double()
    assert len(scenes) == n * k
    first, second = moved[:, 0], moved[:, 1]
    if float(first.mean()) < 1e-9:
        raise AssayError("changing an attribute must change some state", given="states that do not change")
    value = 1 - float(second.mean() / first.mean())
    return value, value - (second - (1 - value) * first) / first.mean()


def common_format(
    states: Float[Tensor, "n k d"], values: Int[Tensor, "n k"], *, num_values: int
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Common format: can an attribute of one object be read by the read-out of another?

    **Returns:** for each scene the accuracy of read-outs fitted on the same object, and of read-outs fitted on the other
    objects, both in other scenes. Without a common format the first is high and the second is not.
    """
    n, k, _ = states.shape
    fold = torch.arange(n) % FOLDS
    own, transferred = torch.zeros(n, k), torch.zeros(n, k)
    targets = one_hot(values, num_values)
    for out in range(FOLDS):
        train, test = fold != out, fold == out
        said = torch.stack(
            [
                Design.of(states[train, j].float()[None, None]).fit(targets[train, j][None, None], group=num_values)
                .probe()(states[test].flatten(0, 1).float())[0].view(int(test.sum()), k, num_values)
                for j in range(k)
            ]
        )  # fmt: skip
        hit = (said.argmax(3) == values[test]).float()
        own[test] = hit.diagonal(dim1=0, dim2=2)
        transferred[test] = (hit.sum(0) - hit.diagonal(dim1=0, dim2=2)) / max(1, k - 1)
    return own.mean(1), transferred.mean(1)
