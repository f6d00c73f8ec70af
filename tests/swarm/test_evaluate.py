"""Scores of candidates: batched, mapped and one by one they agree; each is counted once; the test split is opened once."""

import numpy as np
import pytest
import torch
from torch import nn
from worlds_for_tests import CLASSES, WIDE, answers, factors, items, low_rank_expert, network, pool_of, utility

from assay.errors import AssayError
from assay.swarm.evaluate import Evaluator
from assay.swarm.pool import ExpertPool
from assay.swarm.scores import IGNORED, accuracy, chance, exact_match, log_probability
from assay.swarm.utility import ScoredItems, Utility, permuted_classes

C = np.array([[0.7, -0.4, 1.2], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-2.0, 3.0, 0.5]])


def evaluator(space="delta", **options):
    base = network()
    return Evaluator(base, pool_of(base=base, space=space), utility=utility(), **options)


@pytest.mark.parametrize("space", ["delta", "factor"])
@pytest.mark.parametrize("way", ["rows", "vmap", "loop"])
def test_every_way_scores_the_network_that_has_the_candidates_weights(space, way):
    one = evaluator(space, way=way, most_rows=30)  # so that batches are cut across items and candidates
    found = one.scores(C, graded=True)
    mine = items()
    for c, row in zip(C, found, strict=True):
        logits = answers(network(), one.pool.weights(c), mine.inputs)
        by_hand = logits.log_softmax(-1)[torch.arange(24), mine.targets]
        np.testing.assert_allclose(row, by_hand.detach().numpy(), atol=1e-5)


def test_the_way_is_chosen_by_what_it_can_do():
    low = evaluator()
    assert low.scores(C).shape == (4, 24)
    assert low.way == "rows"
    dense = evaluator("full")
    np.testing.assert_allclose(dense.scores(C), low.scores(C))
    assert dense.way == "vmap"


class Unruly(nn.Sequential):
    """Uses a weight without calling its module, so that rows would be wrong without a word."""

    def forward(self, x):
        return self[2](torch.tanh(nn.functional.linear(x, self[0].weight, self[0].bias)))


def test_a_network_that_bypasses_its_modules_is_found_out():
    base = Unruly(*network())
    one = Evaluator(base, pool_of(base=network()), utility=utility())
    np.testing.assert_allclose(one.scores(C, graded=True), evaluator(way="loop").scores(C, graded=True), atol=1e-5)
    assert one.way == "loop"
    with pytest.raises(AssayError, match=r"modules must be called.*Given: 0.weight"):
        Evaluator(base, pool_of(base=network()), utility=utility(), way="rows").scores(C)


def test_rows_of_beams_belong_to_their_candidate():
    """Beam search repeats each row; the candidates must be repeated with them."""
    from assay.swarm.candidates import candidate_rows, prepared

    base, inputs = network(), items(4).inputs
    pool = pool_of(base=base)
    copied = prepared(base, pool)
    with candidate_rows(copied, pool, torch.from_numpy(C)) as rows:
        twice = rows(inputs.repeat_interleave(2, 0))
    for k, c in enumerate(C):
        torch.testing.assert_close(twice[2 * k], answers(base, pool.weights(c), inputs[k : k + 1])[0])
        torch.testing.assert_close(twice[2 * k + 1], twice[2 * k])
    torch.testing.assert_close(copied(inputs), base(inputs))  # and behind it nobody's


class Positions(nn.Sequential):
    """Reads five positions of each item, with the layers of `network`, and answers with their mean."""

    def forward(self, x):
        return super().forward(x.unsqueeze(1) * torch.arange(1.0, 6.0, dtype=x.dtype)[:, None]).mean(1)


@pytest.mark.parametrize("space", ["delta", "factor"])
def test_rows_through_candidates_own_weights_are_those_through_factors(space, monkeypatch):
    """Many rows of a candidate go through weights that are made of the factors, few rows through the factors themselves."""
    from assay.swarm import candidates

    made = []
    change = ExpertPool.low_rank_change
    monkeypatch.setattr(ExpertPool, "low_rank_change", lambda *args: made.append(args[1]) or change(*args))
    base = Positions(*network())

    def scores(most_rows=2048, items=range(24)):
        rows = Evaluator(base, pool_of(base=base, space=space), utility=utility(), way="rows", most_rows=most_rows)
        return rows.scores(C, graded=True, items=items)

    merged = scores()
    assert made == ["0.weight", "2.weight"]  # once for a batch of candidates
    made.clear()
    scores(items=[0])  # five positions: 5 * (8 + 6) > 8 * 6, and 5 * (4 + 8) > 4 * 8
    assert made == ["0.weight", "2.weight"]
    monkeypatch.setattr(candidates, "MOST_MERGED", 0)
    made.clear()
    np.testing.assert_allclose(scores(), merged, atol=1e-12)
    assert not made


def test_few_rows_go_through_factors(monkeypatch):
    monkeypatch.setattr(ExpertPool, "low_rank_change", lambda *args: pytest.fail("weights were made for two rows"))
    found = evaluator(way="rows").scores(C, graded=True, items=range(2))  # 2 * (8 + 6) < 8 * 6, and 2 * (4 + 8) < 4 * 8
    assert found.shape == (4, 2)


def test_the_callers_network_stays_as_it_was():
    base = network().train()
    before = {name: tensor.clone() for name, tensor in base.state_dict().items()}
    one = Evaluator(base, pool_of(base=base), utility=utility(), way="loop")
    one.scores(C)
    one.score_changes(one.pool.changes(C[0]))
    assert base.training
    assert all(parameter.requires_grad for parameter in base.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.state_dict().items())
    np.testing.assert_array_equal(one.scores(C[2:3]), evaluator().scores(C[2:3]))  # nor is a candidate left in the copy


def test_candidates_are_counted_once():
    one = evaluator()
    one.scores(C[:2])
    assert one.evaluations == 2
    one.scores(np.vstack([C[:2], C[1:3], C[2:3]]))
    assert one.evaluations == 3
    one.scores(C[3:], items=range(6))
    assert one.evaluations == 3.25
    np.testing.assert_array_equal(one.scores(C[3:]), evaluator().scores(C[3:]))
    assert one.evaluations == 4
    one.gradient(C[0])
    assert one.evaluations == 7
    assert one.fresh().evaluations == 0


@pytest.mark.parametrize("space", ["delta", "factor", "full"])
def test_gradients_are_those_of_finite_differences(space):
    one = evaluator(space)
    value, slope = one.gradient(C[0])
    steps = 1e-5 * np.eye(3)
    ahead, behind = (one.scores(C[0] + sign * steps, graded=True).mean(1) for sign in (1, -1))
    assert value == pytest.approx(one.scores(C[:1], graded=True).mean(), abs=1e-6)
    np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, atol=1e-6)


def test_a_tied_weight_and_another_base_are_refused():
    base = network()
    base.add_module("tied", nn.Linear(WIDE, 8).double())
    base.tied.weight = base[0].weight
    with pytest.raises(AssayError, match=r"must belong to one module.*tied.weight, which is also 0.weight"):
        Evaluator(base, pool_of(base=base), utility=utility())
    with pytest.raises(AssayError, match="must be the base of the pool"):
        Evaluator(nn.Sequential(nn.Linear(2, 2)), pool_of(), utility=utility())


# The utility


def test_the_test_split_is_scored_once():
    mine = utility()
    assert len(mine.open_test()) == 30
    with pytest.raises(AssayError, match=r"scored once.*give all candidates to one call"):
        mine.open_test()
    with pytest.raises(AssayError, match="needs test items"):
        utility(test=None).open_test()


def test_what_makes_no_sense_is_refused():
    with pytest.raises(AssayError, match=r"at least 20 items. Given: 19"):
        utility(items=items(19))
    with pytest.raises(AssayError, match=r"no test item may be a validation item. Given: 24 that are both"):
        utility(test=items(30))
    with pytest.raises(AssayError, match=r"as many inputs as targets. Given: 24 inputs and 3 targets"):
        utility(items=ScoredItems(items().inputs, items().targets[:3]))
    with pytest.raises(AssayError, match=r"one for each item|one entry for each item"):
        utility(groups=[0, 1])
    with pytest.raises(AssayError, match="maximise a graded score"):
        Evaluator(network(), pool_of(), utility=utility(graded=None), graded=True)


def raises_on(bad):
    def score(network, inputs, targets):
        if (inputs == bad).all(1).any():
            raise ZeroDivisionError("no answer")
        return accuracy(network, inputs, targets)

    return score


@pytest.mark.parametrize("way", ["rows", "loop"])
def test_an_item_on_which_the_score_raises_is_named(way):
    bad = items().inputs[7]
    stops = Evaluator(network(), pool_of(), utility=utility(score=raises_on(bad)), way=way)
    with pytest.raises(
        AssayError, match=r"must not raise: validation item 7. Given: ZeroDivisionError: no answer.*on_error='skip'"
    ):
        stops.scores(C)
    goes_on = Evaluator(network(), pool_of(), utility=utility(score=raises_on(bad), on_error="skip", worst=-1.0), way=way)
    found, whole = goes_on.scores(C), evaluator().scores(C)
    assert (found[:, 7] == -1).all()
    np.testing.assert_array_equal(np.delete(found, 7, 1), np.delete(whole, 7, 1))
    assert [(one.item, one.split) for one in goes_on.utility.failed] == [(7, "validation")]


def test_scores_must_be_one_finite_number_for_each_item():
    short = utility(score=lambda network, inputs, targets: torch.zeros(3))
    with pytest.raises(
        AssayError, match=r"validation item 0. Given: AssayError: A score must be one number|one number for each item"
    ):
        Evaluator(network(), pool_of(), utility=short).scores(C)
    never = utility(score=lambda network, inputs, targets: torch.full((len(targets),), torch.nan))
    with pytest.raises(AssayError, match="a score must be finite"):
        Evaluator(network(), pool_of(), utility=never).scores(C)


def test_harmonic_mean_over_tasks():
    mine = utility()
    scores = np.array([[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(mine.value(scores, groups=[0, 0, 1, 1]), [2 / (1 / 0.5 + 1 / 1.0), 0.0])
    np.testing.assert_allclose(mine.value(scores), [0.75, 0.5])


def test_renamed_classes_keep_the_form_and_no_answer():
    mine = items(60)
    rename = permuted_classes(mine, torch.Generator().manual_seed(0), classes=CLASSES)
    renamed = rename(mine.targets)
    assert not (renamed == mine.targets).any()
    assert len({(a, b) for a, b in zip(mine.targets.tolist(), renamed.tolist(), strict=True)}) == CLASSES
    tokens = torch.tensor([[IGNORED, 7, 9], [9, 30, IGNORED]] * 10)
    again = permuted_classes(ScoredItems(tokens, tokens), torch.Generator().manual_seed(0))(tokens)
    assert ((again == IGNORED) == (tokens == IGNORED)).all()
    assert ((again != tokens) == (tokens != IGNORED)).all()
    assert len({pair for row in zip(tokens.tolist(), again.tolist(), strict=True) for pair in zip(*row, strict=True)}) == 4
    texts = permuted_classes(ScoredItems(["a"] * 30, [f"t{k}" for k in range(30)]), torch.Generator().manual_seed(0))
    dealt = texts([f"t{k}" for k in range(30)])
    assert sorted(dealt) == sorted(f"t{k}" for k in range(30))
    assert all(one != f"t{k}" for k, one in enumerate(dealt))


def test_scores_over_positions():
    logits = torch.eye(3)[None].repeat(2, 1, 1)
    targets = torch.tensor([[0, 1, 0], [0, IGNORED, 2]])
    assert accuracy(nn.Identity(), logits, targets).tolist() == pytest.approx([2 / 3, 1.0])
    assert exact_match(nn.Identity(), logits, targets).tolist() == [0.0, 1.0]
    by_hand = torch.log_softmax(torch.eye(3), -1)
    assert float(log_probability(nn.Identity(), logits, targets)[1]) == pytest.approx(
        float((by_hand[0, 0] + by_hand[2, 2]) / 2)
    )
    assert chance(torch.tensor([0, 0, 1])) == pytest.approx(2 / 3)


def test_inputs_by_name_and_list_items():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(WIDE, CLASSES)

        def forward(self, *, x):
            return self.fc(x)

    base, mine = Named(), items()
    change = {"fc.weight": low_rank_expert(0).changes["0.weight"]}
    from assay.swarm.expert import Expert, Factors

    made = [
        Expert(changes={"fc.weight": Factors(down=change["fc.weight"].down.float(), up=torch.randn(CLASSES, 2))})
        for _ in range(2)
    ]
    named = Utility(items=ScoredItems({"x": mine.inputs.float()}, mine.targets), score=accuracy)
    found = Evaluator(base, ExpertPool(base, {"a": made[0], "b": made[1]}), utility=named).scores(np.eye(2))
    assert found.shape == (2, 24)


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("space", ["delta", "factor"])
def test_generate_of_hugging_face_answers_each_row_by_its_candidate(space, beams):
    """Unchanged, with its key-value cache, prompts padded on the left and beams: as each candidate's own weights do alone."""
    import transformers

    from assay.isolation import seeded
    from assay.swarm.candidates import candidate_rows, prepared
    from assay.swarm.expert import Expert

    config = transformers.LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, pad_token_id=0,
        eos_token_id=1, bos_token_id=2,
    )  # fmt: skip
    with seeded(0):
        model = transformers.LlamaForCausalLM(config).double().eval()
    rng = torch.Generator().manual_seed(0)
    layers = {f"{name}.weight": m.weight.shape for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    experts = [Expert(changes={w: factors(rng, *shape, scale=0.2) for w, shape in layers.items()}) for _ in range(3)]
    pool = ExpertPool(model, dict(zip("abc", experts, strict=True)), space=space)
    prompts = torch.randint(3, 40, (4, 5), generator=rng)
    prompts[1, :2] = prompts[2, :3] = 0
    with_cache = {"max_new_tokens": 8, "do_sample": False, "num_beams": beams}
    alone = []
    for c, prompt in zip(C, prompts, strict=True):
        own = transformers.LlamaForCausalLM(config).double().eval()
        own.load_state_dict(pool.weights(c))
        prompt = prompt[prompt != 0][None]
        new = own.generate(prompt, attention_mask=torch.ones_like(prompt), **with_cache)[0, prompt.shape[1] :].tolist()
        alone.append(new + [0] * (8 - len(new)))
    copied = prepared(model, pool)
    with candidate_rows(copied, pool, torch.from_numpy(C)):
        together = copied.generate(prompts, attention_mask=(prompts != 0).long(), **with_cache)[:, 5:]
    assert together.tolist() == alone
    plain = model.generate(prompts, attention_mask=(prompts != 0).long(), **with_cache)[:, 5:]
    assert plain.tolist() != alone  # the candidates do change what is said
