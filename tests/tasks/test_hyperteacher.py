"""The hyperteacher: its targets by plain loops, its encodings by their definitions, its swap by a second route."""

import math

import pytest
import torch
from torch import Generator

from assay.errors import AssayError
from assay.stats import keyed_generator
from assay.task import SwapsParts
from assay.tasks.encodings import ENCODINGS, encode, width
from assay.tasks.hyperteacher import Hyperteacher
from assay.tasks.teacher import SIZE, Teacher
from assay.training import train


def latents(examples, task):
    return torch.stack([examples.amounts[name] for name in task.combines], 1)


def test_teacher_by_plain_loops(generator):
    teacher = Teacher.draw(4, max_active=3, seed=0)
    z, x = torch.rand(6, 4, generator=generator), torch.rand(6, SIZE, generator=generator)
    y = teacher(z, x)
    for row in range(6):
        weight = sum(float(z[row, m]) * teacher.weights[m].double() for m in range(4)) / math.sqrt(3)
        bias = sum(float(z[row, m]) * teacher.biases[m].double() for m in range(4)) / math.sqrt(3)
        hidden = [max(0.0, float(weight[h] @ x[row].double() + bias[h])) for h in range(SIZE)]
        expected = [sum(float(teacher.readout[o, h]) * hidden[h] for h in range(SIZE)) for o in range(SIZE)]
        assert y[row].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("samples", [0, 1, 5])
def test_samples_of_one_task_are_answered_like_rows_of_their_own(samples, generator):
    teacher = Teacher.draw(4, max_active=3, seed=0)
    z, x = torch.rand(6, 4, generator=generator), torch.rand(6, samples, SIZE, generator=generator)
    by_row = teacher(z.repeat_interleave(samples, 0), x.flatten(0, 1)).view(6, samples, SIZE)
    torch.testing.assert_close(teacher.by_task(z, x), by_row)


def test_teacher_draws_have_the_published_distribution():
    teacher = Teacher.draw(60, max_active=3, seed=1)
    deviation = math.sqrt(math.sqrt(3) / 16)
    cut = 2 * deviation / 0.8796256610342398
    assert float(teacher.weights.std()) == pytest.approx(deviation, rel=0.02)
    assert 0.98 * cut < float(teacher.weights.abs().max()) <= cut
    assert float(teacher.readout.abs().max()) <= cut
    assert 0 <= float(teacher.biases.min()) < 0.01
    assert 0.49 < float(teacher.biases.max()) < 0.5
    assert float(teacher.biases.mean()) == pytest.approx(0.25, abs=0.02)


def test_no_two_tensors_share_their_draws():
    draws = [torch.rand(8, generator=keyed_generator(0, key)) for key in ("teacher weights", "teacher biases", "supports")]
    assert len({tuple(draw.tolist()) for draw in draws}) == 3
    assert not torch.equal(torch.rand(8, generator=keyed_generator(1, "supports")), draws[2])


def test_the_kind_of_supports_does_not_change_the_teacher(generator):
    one, other = Hyperteacher(supports="random"), Hyperteacher(supports="two_halves", num_train=20)
    examples = one.examples("train", 64, generator=generator)
    assert torch.equal(other.swap(examples, examples, "m0").targets, one.swap(examples, examples, "m0").targets)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_targets_belong_to_the_amounts_and_the_visible_x(encoding, generator):
    task = Hyperteacher(encoding=encoding, seed=4)
    teacher = Teacher.draw(8, max_active=3, seed=4)
    for split in ("train", "seen", "novel"):
        examples = task.examples(split, 100, generator=generator)
        x = examples.inputs["x"]
        assert x.dtype == torch.float32
        assert x.shape == (100, task.input_spec.num_features) == (100, width(encoding, 8) + SIZE)
        torch.testing.assert_close(examples.targets, teacher(latents(examples, task), x[:, -SIZE:]))
        assert x[:, -SIZE:].abs().max() <= 1


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
def test_parts_amounts_and_combinations_agree(split, generator):
    task = Hyperteacher(samples_per_task=4)
    examples = task.examples(split, 4 * 1000, generator=generator)
    z = latents(examples, task)
    parts = torch.stack([examples.parts[name] for name in task.combines], 1)
    assert torch.equal(parts, (z != 0).long())
    assert {tuple(row) for row in parts.tolist()} == {tuple(row) for row in task.combinations(split).tolist()}
    assert torch.equal(examples.combination, (parts * 2 ** torch.arange(7, -1, -1)).sum(1))
    assert all(part.graded for part in task.parts)
    by_task = z.view(-1, 4, 8)
    assert torch.equal(by_task, by_task[:, :1].expand_as(by_task)), "the rows of one draw share z"
    assert len(examples.inputs["x"][:, -SIZE:].unique(dim=0)) == len(examples), "but not x"


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("weights", ["discrete", "khot"])
def test_no_row_is_trained_and_scored(encoding, weights, tmp_path, monkeypatch):
    """The rows that a run draws, by the seeds that it uses: the splits share none, and not even the teacher's x."""
    drawn: dict[str, list[torch.Tensor]] = {}
    draw = Hyperteacher.examples

    def recorded(task, split, n, *, generator):
        examples = draw(task, split, n, generator=generator)
        drawn.setdefault(split, []).append(examples.inputs["x"])
        return examples

    monkeypatch.setattr(Hyperteacher, "examples", recorded)
    config = {"steps": 16, "batch_size": 512, "seed": 0}
    train(f"hyperteacher:encoding={encoding},weights={weights}", "mlp", options={"width": 4}, config=config, out=tmp_path)
    rows = {split: torch.cat(parts) for split, parts in drawn.items()}
    assert {split: len(x) for split, x in rows.items()} == {"train": 8192, "seen": 8192, "novel": 8192}
    for x in (torch.cat(list(rows.values())), torch.cat([x[:, -SIZE:] for x in rows.values()])):
        assert len(x.unique(dim=0)) == 3 * 8192


def test_splits_share_no_combination():
    task = Hyperteacher()
    trained = {tuple(row) for row in task.combinations("train").tolist()}
    assert torch.equal(task.combinations("train"), task.combinations("seen"))
    assert not trained & {tuple(row) for row in task.combinations("novel").tolist()}


def test_seen_and_novel_go_through_all_supports_evenly(generator):
    task = Hyperteacher(num_modules=6, max_active=2, samples_per_task=2)
    num = len(task.combinations("novel"))
    counts = task.examples("novel", 2 * num * 3 + 2, generator=generator).combination.unique(return_counts=True)[1]
    assert counts.sort().values.tolist() == [6] * (num - 1) + [8]


def test_weights_of_every_kind(generator):
    def amounts(weights):
        task = Hyperteacher(weights=weights, samples_per_task=1)
        return latents(task.examples("train", 3000, generator=generator), task)

    assert set(amounts("khot").unique().tolist()) == {0.0, 1.0}
    discrete = amounts("discrete").unique()
    torch.testing.assert_close(discrete, torch.tensor([0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]))
    z = amounts("continuous")
    active = z > 0
    assert float(z[active].min()) >= 0.5
    share = ((z - 0.5) * 2).masked_fill(~active, 0.0).sum(1)  # sum of e over (sum of e + 1)
    assert 0 < float(share.min()) < float(share.max()) < 1
    one_active = share[active.sum(1) == 1]
    assert float((one_active / (1 - one_active)).mean()) == pytest.approx(1.0, abs=0.25)  # that is e itself, from Exp(1)


@pytest.mark.parametrize("part", ["m0", "m5"])
@pytest.mark.parametrize("encoding", ["identity", "interval_shuffle", "fewshot"])
def test_swap_gives_the_target_of_the_new_latent(part, encoding, generator):
    task = Hyperteacher(encoding=encoding)
    assert isinstance(task, SwapsParts)
    base = task.examples("seen", 200, generator=generator)
    source = task.examples("seen", 200, generator=generator)
    swapped = task.swap(base, source, part)
    z = latents(base, task).clone()
    z[:, int(part[1])] = source.amounts[part]
    expected = Teacher.draw(8, max_active=3, seed=0)(z, base.inputs["x"][:, -SIZE:])
    torch.testing.assert_close(swapped.targets, expected)
    assert torch.equal(swapped.parts[part], source.parts[part])
    assert torch.equal(swapped.combination, task.combination_id(swapped.parts))
    changed = base.amounts[part] != source.amounts[part]
    differs = (swapped.targets - base.targets).abs().amax(1) > 1e-5  # the order of sums differs between the two
    assert changed.any()
    assert differs[changed].float().mean() > 0.95
    assert not differs[~changed].any()
    with pytest.raises(AssayError, match="no such part"):
        task.swap(base, source, "m8")


@pytest.mark.parametrize("supports", ["random", "two_halves"])
def test_the_mean_of_seen_targets_scores_zero_pooled(supports, generator):
    task = Hyperteacher(supports=supports)
    examples = task.examples("seen", 20000, generator=generator)
    constant = examples.targets.mean(0).expand_as(examples.targets)
    assert float(task.objective.unclipped(constant, examples.targets).mean()) == pytest.approx(0.0, abs=0.03)
    assert task.score(examples.targets, examples).eq(1).all()


@pytest.mark.parametrize("split", ["train", "seen", "novel"])
@pytest.mark.parametrize("n", [0, 1, 17])
def test_any_number_of_rows(split, n, generator):
    for encoding in ENCODINGS:
        examples = Hyperteacher(encoding=encoding).examples(split, n, generator=generator)
        assert len(examples) == n
        assert examples.targets.shape == (n, SIZE)


def test_one_seed_one_task_and_one_draw():
    first, second = (
        Hyperteacher(encoding="fewshot", seed=5).examples("train", 40, generator=Generator().manual_seed(2)) for _ in range(2)
    )
    assert torch.equal(first.inputs["x"], second.inputs["x"])
    assert torch.equal(first.targets, second.targets)
    assert Hyperteacher(seed=5) == Hyperteacher(seed=5)
    assert Hyperteacher(seed=5) != Hyperteacher(seed=6)


def test_samples_per_task_must_be_positive():
    with pytest.raises(AssayError, match=r"samples_per_task must be a whole number from 1 to 65,536. Given: 0"):
        Hyperteacher(samples_per_task=0)


def test_options_of_the_supports_reach_them():
    task = Hyperteacher(supports="two_halves", hotness="7-12-8", novel_hotness=3)
    assert task.combinations("train").sum(1).bincount().tolist() == [0, 7, 12, 8]
    assert set(task.combinations("novel").sum(1).tolist()) == {3}
    assert len(Hyperteacher(num_train="0.5M^2").combinations("train")) == 32


def test_novel_supports_may_be_larger_than_any_trained_one(generator):
    task = Hyperteacher(novel_hotness=5)
    examples = task.examples("novel", 320, generator=generator)
    z = latents(examples, task)
    assert (z > 0).sum(1).eq(5).all()
    torch.testing.assert_close(examples.targets, Teacher.draw(8, max_active=3, seed=0)(z, examples.inputs["x"][:, -SIZE:]))


@pytest.mark.parametrize("option", ["weights", "encoding", "supports"])
def test_a_choice_is_checked_where_no_type_checker_runs(option):
    # In these tests beartype objects first, so the check is reached through an instance that never was initialised.
    task = object.__new__(Hyperteacher)
    for name in ("weights", "encoding", "supports"):
        object.__setattr__(task, name, "ring" if name == option else getattr(Hyperteacher, name))
    with pytest.raises(AssayError, match=f"{option} must be one of its choices. Given: ring. Choices: "):
        task.__post_init__()


# Encodings


def encoded(z, name, seed=0, draw=0):
    teacher = Teacher.draw(z.shape[1], max_active=3, seed=7)
    return encode(z, name, teacher=teacher, seed=seed, generator=Generator().manual_seed(draw))


Z = torch.tensor([[0.0, 0.5, 0.7, 1.0, 0.0], [0.9, 0.0, 0.0, 0.6, 0.8]])


def test_identity_and_orthogonal():
    assert torch.equal(encoded(Z, "identity"), Z)
    torch.testing.assert_close(encoded(Z, "orthogonal") @ encoded(Z, "orthogonal").T, Z @ Z.T)
    rotation = encoded(torch.eye(5), "orthogonal")
    assert float(rotation.det()) == pytest.approx(1.0, abs=1e-5)
    assert not torch.allclose(rotation, torch.eye(5))
    assert not torch.allclose(rotation, encoded(torch.eye(5), "orthogonal", seed=1))


def test_tokens_are_module_and_amount():
    assert encoded(Z, "tokens")[0].tolist() == [0, 6, 1, 11, 2, 13, 3, 16, 4, 6]
    every = torch.arange(11) / 10  # .7 * 10 is below 7 in some floating-point numbers
    assert encoded(every[:, None], "tokens")[:, 1].tolist() == [2 + k for k in range(11)]


def test_interval_shuffle_moves_whole_bins_and_keeps_one():
    fine = torch.linspace(0, 1, 1001)[:, None]
    moved = encoded(fine, "interval_shuffle")[:, 0]
    assert float(moved[-1]) == 1.0
    assert torch.allclose(moved[:-1].sort().values, fine[:-1, 0], atol=1e-5), "not a permutation"
    starts = (moved[:-1].view(10, 100)[:, 0] * 10).round()
    assert starts.sort().values.tolist() == list(range(10))
    assert starts.tolist() != list(range(10))
    inside = moved[:-1].view(10, 100)
    torch.testing.assert_close(inside - inside[:, :1], (fine[:100, 0]).expand(10, 100), atol=1e-5, rtol=0)


AMOUNTS = torch.tensor([0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


@pytest.mark.parametrize("weights", ["discrete", "continuous"])
def test_no_linear_reader_finds_z_in_a_zigzag(weights):
    """Ridge regression on what the network is given, fitted on trained supports: it reads `identity`, not this."""
    task = Hyperteacher(encoding="zigzag", weights=weights, samples_per_task=1)
    fitted, scored = (task.examples(split, 20000, generator=Generator().manual_seed(1)) for split in ("seen", "novel"))
    code, other = (examples.inputs["x"][:, :-SIZE] for examples in (fitted, scored))
    z, novel_z = latents(fitted, task), latents(scored, task)
    assert r2(read(z, z, novel_z), novel_z) > 0.99
    assert r2(read(code, z, other), novel_z) < 0.02
    presence = read(code, (z > 0).float(), other)
    assert r2(presence, (novel_z > 0).float()) < 0.02
    for module in range(8):
        active, novel_active = z[:, module] > 0, novel_z[:, module] > 0
        amounts = read(code[active], z[active][:, [module]], other[novel_active])
        assert r2(amounts, novel_z[novel_active][:, [module]]) < 0.05


def read(features, labels, fresh):
    from sklearn.linear_model import RidgeCV

    fitted = RidgeCV(alphas=(1e-2, 1e0, 1e2)).fit(features.numpy(), labels.numpy())
    return torch.from_numpy(fitted.predict(fresh.numpy())).view(len(fresh), -1)


def r2(predicted, true):
    return float(1 - (predicted - true).square().sum() / (true - true.mean(0)).square().sum())


@pytest.mark.parametrize("weights", ["discrete", "continuous", "khot"])
def test_a_zigzag_is_decoded_exactly_by_its_inverse(weights, generator):
    """Undo the rotation, which the code of every module alone shows; then look each column up."""
    task = Hyperteacher(weights=weights, samples_per_task=1)
    z = latents(task.examples("seen", 5000, generator=generator), task)
    back = torch.linalg.inv(encoded(torch.eye(8), "zigzag", seed=3))
    amounts = torch.cat([torch.zeros(1), torch.arange(500, 1001) / 1000])
    alone = torch.cat([amounts[:, None], torch.zeros(502, 7)], 1)
    table = (encoded(alone, "zigzag", seed=3) @ back)[:, 0]
    columns = encoded(z, "zigzag", seed=3) @ back
    nearest = (columns.flatten()[:, None] - table).abs().argmin(1)
    assert float((amounts[nearest] - z.flatten()).abs().max()) <= 1e-3


def test_a_zigzag_keeps_all_latents_apart():
    every = torch.cartesian_prod(AMOUNTS, AMOUNTS, AMOUNTS)
    code = encoded(every, "zigzag")
    assert float((torch.cdist(code, code) + torch.eye(len(code))).min()) > 0.15
    assert encoded(AMOUNTS[:, None], "zigzag").abs().flatten().tolist() == pytest.approx([0, 0.2, 0.6, 1, 1, 0.6, 0.2])
    assert not torch.equal(code, encoded(every, "zigzag", seed=1))


@pytest.mark.parametrize("num_modules", [2, 5, 8])
def test_invertible_nn_tells_latents_apart_and_is_nearly_linear(num_modules, generator):
    z = torch.rand(400, num_modules, generator=generator)
    code = encoded(z, "invertible_nn")
    assert code.shape == z.shape
    design = torch.cat([code, torch.ones(400, 1)], 1)
    rest = z - design @ torch.linalg.lstsq(design, z).solution
    assert float(rest.square().sum() / (z - z.mean(0)).square().sum()) < 0.01
    assert not torch.allclose(code, z, atol=0.05)


def test_fewshot_shows_pairs_of_the_task_and_not_z():
    code = encoded(Z, "fewshot")
    pairs = code.view(2, 50, 2 * SIZE)
    x, y = pairs[..., :SIZE].flatten(0, 1), pairs[..., SIZE:].flatten(0, 1)
    teacher = Teacher.draw(5, max_active=3, seed=7)
    torch.testing.assert_close(y, teacher(Z.repeat_interleave(50, 0), x))
    assert not torch.equal(code, encoded(Z, "fewshot", draw=1)), "the pairs must be fresh"
