import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from assay.probe import PENALTIES, Design, one_hot


def planted(n: int = 200, d: int = 20, k: int = 3, noise: float = 0.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(seed)
    features = torch.randn(n, d, generator=generator)
    targets = features @ torch.randn(d, k, generator=generator) + 1.5
    return features, targets + noise * torch.randn(n, k, generator=generator)


def predicted(features: Tensor, targets: Tensor, fresh: Tensor, group: int = 1) -> Tensor:
    """Fitted on one set of rows, all in one fold."""
    return Design.of(features[None, None]).fit(targets[None, None], group=group).probe()(fresh)[0]


def test_recovers_a_planted_linear_map():
    features, targets = planted()
    fresh, wanted = planted(seed=0)
    assert torch.allclose(predicted(features, targets, fresh), wanted, atol=1e-2)


def penalties_by_hat_matrix(features: Tensor, targets: Tensor) -> list[float]:
    """Generalised cross-validation, with the hat matrix written out."""
    centred = features - features.mean(0)
    scale = float(centred.square().sum()) / features.shape[1]
    chosen = []
    for k in range(targets.shape[1]):
        errors = []
        for penalty in PENALTIES:
            gram = centred.T @ centred + penalty * scale * torch.eye(features.shape[1], dtype=torch.float64)
            hat = centred @ torch.linalg.solve(gram, centred.T) + 1 / len(features)
            residual = targets[:, k] - hat @ targets[:, k]
            errors.append(float(residual.square().sum() / (1 - hat.trace() / len(features)) ** 2))
        chosen.append(PENALTIES[int(np.argmin(errors))] * scale)
    return chosen


def test_agrees_with_scikit_learn_at_the_penalty_that_cross_validation_by_hat_matrix_chooses():
    from sklearn.linear_model import Ridge

    features, targets = planted(n=60, noise=3.0)
    penalties = penalties_by_hat_matrix(features.double(), targets.double())
    predictions = predicted(features, targets, features)
    for k, penalty in enumerate(penalties):
        reference = Ridge(alpha=penalty).fit(features.numpy(), targets[:, k].numpy()).predict(features.numpy())
        assert torch.allclose(predictions[:, k], torch.from_numpy(reference).float(), atol=1e-3)
    assert max(penalties) > min(PENALTIES) * 60, "the choice was never put to work"


@pytest.mark.parametrize("width", [3, 20])
def test_predictions_without_a_fold_equal_a_fit_without_it(width):
    """Two sets of rows in four folds, some places unused; scikit-learn fits again for every fold."""
    from sklearn.linear_model import Ridge

    generator = Generator().manual_seed(3)
    features = torch.randn(2, 4, width, 6, generator=generator) * torch.tensor([1.0, 5.0, 0.2, 1.0, 1.0, 3.0]) + 2.0
    used = torch.rand(2, 4, width, generator=generator) < 0.8
    targets = features @ torch.randn(6, 5, generator=generator) + torch.randn(2, 4, width, 5, generator=generator) * 4
    targets = targets * used[..., None]
    fit = Design.of(features, used).fit(targets)
    predictions = fit.left_out()
    assert (predictions[~used] == 0).all()
    for b in range(2):
        penalties = penalties_by_hat_matrix(features[b][used[b]].double(), targets[b][used[b]].double())
        for f in range(4):
            others = used[b].clone()
            others[f] = False
            for k, penalty in enumerate(penalties):
                ridge = Ridge(alpha=penalty).fit(
                    features[b][others].double().numpy(), targets[b][others][:, k].double().numpy()
                )
                wanted = torch.from_numpy(ridge.predict(features[b, f][used[b, f]].double().numpy()))
                assert torch.allclose(predictions[b, f][used[b, f]][:, k].double(), wanted, rtol=1e-3, atol=2e-3)
    assert len(fit.best.unique()) > 1, "one penalty for all: choosing was never put to work"


def test_many_targets_equal_few():
    """Their equations are solved in another way."""
    features, targets = planted(n=100, d=8, k=30, noise=2.0)
    design = Design.of(features.view(1, 5, 20, 8))
    together = design.fit(targets.view(1, 5, 20, 30)).left_out()
    alone = torch.cat([design.fit(targets[:, [k]].view(1, 5, 20, 1)).left_out() for k in range(30)], 3)
    assert torch.allclose(together, alone, atol=1e-4)


def test_a_direction_that_one_fold_alone_has_is_not_used_without_it():
    features, targets = planted(n=40, d=3, k=1)
    features[:10, 0] = torch.randn(10, generator=Generator().manual_seed(9)) * 100
    features[10:, 0] = 0
    predictions = Design.of(features.view(1, 4, 10, 3)).fit(targets.view(1, 4, 10, 1)).left_out()
    assert torch.isfinite(predictions).all()
    assert float(predictions[0, 0].abs().max()) < 20


def test_pure_noise_is_shrunk_away():
    generator = Generator().manual_seed(0)
    features, noise = torch.randn(100, 50, generator=generator), torch.randn(100, 1, generator=generator)
    fresh = torch.randn(500, 50, generator=generator)
    assert float(predicted(features, noise, fresh).var()) < 0.3 * float(noise.var())


def test_targets_and_sets_fitted_together_equal_those_fitted_alone():
    first, second = planted(noise=1.0, seed=0), planted(noise=1.0, seed=1)
    features, targets = (torch.stack([a, b])[:, None] for a, b in zip(first, second, strict=True))
    together = Design.of(features).fit(targets).probe()(first[0])
    for index, (table, wanted) in enumerate((first, second)):
        alone = torch.cat([predicted(table, wanted[:, [k]], first[0]) for k in range(3)], 1)
        assert torch.allclose(together[index], alone, atol=1e-4)


@pytest.mark.parametrize("change", ["scale", "rotate", "shift"])
def test_predictions_do_not_depend_on_scale_rotation_or_shift(change):
    features, targets = planted(noise=1.0)
    rotation = torch.linalg.qr(torch.randn(20, 20, generator=Generator().manual_seed(5))).Q
    changed = {"scale": 1000 * features, "rotate": features @ rotation, "shift": features + 7}[change]
    assert torch.allclose(predicted(features, targets, features), predicted(changed, targets, changed), atol=2e-3)


def test_a_group_shares_one_penalty():
    """One-hot columns of one part are tuned together: swapping their order cannot change a prediction."""
    features, _ = planted()
    labels = one_hot(torch.arange(200) % 4, 4)
    assert torch.allclose(
        predicted(features, labels, features, group=4).flip(1),
        predicted(features, labels.flip(1), features, group=4),
        atol=1e-5,
    )


def test_more_features_than_examples():
    features, targets = planted(n=15, d=60)
    assert torch.isfinite(predicted(features, targets, features)).all()
    left_out = Design.of(features.view(1, 3, 5, 60)).fit(targets.view(1, 3, 5, 3)).left_out()
    assert torch.isfinite(left_out).all()


@pytest.mark.parametrize("num_constant", [1, 20])
def test_constant_features_predict_the_mean(num_constant):
    features, targets = planted()
    features[:, :num_constant] = 1.0
    predictions = predicted(features, targets, features)
    assert torch.isfinite(predictions).all()
    if num_constant == 20:
        assert torch.allclose(predictions, targets.mean(0).expand_as(predictions), atol=1e-4)


def test_no_features_predict_the_mean_of_the_other_folds():
    targets = torch.tensor([1.0, 3.0, 8.0]).view(1, 3, 1, 1)
    predictions = Design.of(torch.zeros(1, 3, 1, 0)).fit(targets).left_out()
    assert predictions.flatten().tolist() == pytest.approx([5.5, 4.5, 2.0], rel=1e-4)


@pytest.mark.parametrize("fails", ["raises", "gives NaN"])
def test_a_factorisation_that_fails_in_single_precision_is_made_in_double(monkeypatch, fails: str):
    """LAPACK does either, depending on the matrix and the build."""
    torch.manual_seed(0)
    features, targets = torch.randn(1, 4, 10, 6), torch.randn(1, 4, 10, 2)
    expected = Design.of(features).fit(targets).left_out()
    right = torch.linalg.eigh

    def failing(gram):
        if gram.dtype == torch.float64:
            return right(gram)
        if fails == "raises":
            raise torch.linalg.LinAlgError("did not converge")
        values, vectors = right(gram)
        return values, vectors * torch.nan

    monkeypatch.setattr(torch.linalg, "eigh", failing)
    torch.testing.assert_close(Design.of(features).fit(targets).left_out(), expected, atol=1e-4, rtol=1e-4)
