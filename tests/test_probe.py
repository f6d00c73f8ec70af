import numpy as np
import pytest
import torch
from torch import Generator

from assay.probe import PENALTIES, Design, one_hot


def planted(n: int = 200, d: int = 20, k: int = 3, noise: float = 0.0, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator)
    targets = features @ torch.randn(d, k, generator=generator) + 1.5
    return features, targets + noise * torch.randn(n, k, generator=generator)


def test_recovers_a_planted_linear_map():
    features, targets = planted()
    fresh, wanted = planted(seed=0)
    assert torch.allclose(Design.of(features).fit(targets)(fresh), wanted, atol=1e-2)


def test_agrees_with_scikit_learn_at_the_penalty_that_cross_validation_by_hat_matrix_chooses():
    from sklearn.linear_model import Ridge

    features, targets = (table.double() for table in planted(n=60, noise=3.0))
    centred = features - features.mean(0)
    scale = float(centred.square().sum()) / features.shape[1]
    predictions = Design.of(features).fit(targets)(features)
    chosen = set()
    for k in range(targets.shape[1]):
        errors = []
        for penalty in PENALTIES:
            gram = centred.T @ centred + penalty * scale * torch.eye(features.shape[1], dtype=torch.float64)
            hat = centred @ torch.linalg.solve(gram, centred.T) + 1 / len(features)
            residual = targets[:, k] - targets[:, k].mean() - (hat - 1 / len(features)) @ (targets[:, k] - targets[:, k].mean())
            errors.append(float(residual.square().sum() / (1 - hat.trace() / len(features)) ** 2))
        best = PENALTIES[int(np.argmin(errors))]
        chosen.add(best)
        reference = Ridge(alpha=best * scale).fit(features.numpy(), targets[:, k].numpy()).predict(features.numpy())
        assert torch.allclose(predictions[:, k].double(), torch.from_numpy(reference), atol=1e-3)
    assert max(chosen) > min(PENALTIES), "the choice was never put to work"


def test_pure_noise_is_shrunk_away():
    generator = Generator().manual_seed(0)
    features, noise = torch.randn(100, 50, generator=generator), torch.randn(100, 1, generator=generator)
    fresh = torch.randn(500, 50, generator=generator)
    assert float(Design.of(features).fit(noise)(fresh).var()) < 0.3 * float(noise.var())


def test_targets_fitted_together_equal_targets_fitted_alone():
    features, targets = planted(noise=1.0)
    design = Design.of(features)
    together = design.fit(targets)(features)
    alone = torch.cat([design.fit(targets[:, [k]])(features) for k in range(3)], 1)
    assert torch.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("change", ["scale", "rotate", "shift"])
def test_predictions_do_not_depend_on_scale_rotation_or_shift(change):
    features, targets = planted(noise=1.0)
    rotation = torch.linalg.qr(torch.randn(20, 20, generator=Generator().manual_seed(5))).Q
    changed = {"scale": 1000 * features, "rotate": features @ rotation, "shift": features + 7}[change]
    assert torch.allclose(Design.of(features).fit(targets)(features), Design.of(changed).fit(targets)(changed), atol=2e-3)


def test_a_group_shares_one_penalty():
    """One-hot columns of one part are tuned together: swapping their order cannot change a prediction."""
    features, _ = planted()
    labels = one_hot(torch.arange(200) % 4, 4)
    design = Design.of(features)
    assert torch.allclose(
        design.fit(labels, group=4)(features).flip(1), design.fit(labels.flip(1), group=4)(features), atol=1e-5
    )


def test_more_features_than_examples():
    features, targets = planted(n=15, d=60)
    assert torch.isfinite(Design.of(features).fit(targets)(features)).all()


@pytest.mark.parametrize("num_constant", [1, 20])
def test_constant_features_predict_the_mean(num_constant):
    features, targets = planted()
    features[:, :num_constant] = 1.0
    predictions = Design.of(features).fit(targets)(features)
    assert torch.isfinite(predictions).all()
    if num_constant == 20:
        assert torch.allclose(predictions, targets.mean(0).expand_as(predictions), atol=1e-4)
