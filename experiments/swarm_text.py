"""Text experts: LoRA experts of a small language model that is trained here, and whether a search over their sum composes them.

Run `python experiments/swarm_text.py`. A Llama of two layers learns sentences such as `Anna 's boss 's friend 's uncle : Carl
Dora Emil`: the persons to whom a chain of relations leads, one after another. The base learns eight relations, each of six LoRA
experts one more; embeddings stay those of the base, in which the new words are random. The composed task consists of chains
with the relations of experts 0 and 1 and an old one; an item is right when all three persons are.

The script prints the skills of each expert, the verdict, the score of every method on one budget with its interval over
searches, and emergence: of the test sentences that no expert completes, the share that the selected candidates complete, minus
the larger null. It also prints the published figure, the share that any candidate of the final generation completes, with as
its null as many guessers that must guess one of the three persons. Seconds are of one thread.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from assay.isolation import seeded
from assay.optimisers import Adam
from assay.stats import keyed_generator
from assay.swarm.evaluate import Evaluator
from assay.swarm.expert import Expert, Factors
from assay.swarm.figures import table_of
from assay.swarm.judge import judged
from assay.swarm.pool import ExpertPool
from assay.swarm.problem import SHARED, Problem
from assay.swarm.scores import IGNORED, exact_match, log_probability
from assay.swarm.study import StudyPlan, study
from assay.swarm.utility import ScoredItems, Utility

PEOPLE, OLD, NEW = 13, 8, 6
OF, COLON = PEOPLE + OLD + NEW, PEOPLE + OLD + NEW + 1  # the tokens 's and :
WORDS = COLON + 1
LENGTH = 3
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="random seed of the relations, the model and its experts")
    parser.add_argument("--base-steps", type=int, default=600)
    parser.add_argument("--expert-steps", type=int, default=400)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--nulls", type=int, default=8)
    parser.add_argument("--engines", nargs="+", default=["cmaes", "swarm"])
    parser.add_argument("--only-train", action="store_true", help="print the skills of the experts and stop")
    parser.add_argument("--journals", type=Path, help="folder of journals, from which an interrupted run resumes")
    given = parser.parse_args()
    torch.set_num_threads(1)
    start = time.process_time()
    problem = made(given.seed, base_steps=given.base_steps, expert_steps=given.expert_steps, rank=given.rank)
    print(f"trained in {time.process_time() - start:.0f} s", flush=True)
    print_abilities(problem)
    if given.only_train:
        return
    plan = StudyPlan(
        engines=tuple(given.engines), budget=given.budget, seeds=given.searches, nulls=given.nulls, beyond=0, seed=given.seed
    )
    found = study(problem, plan, journals=given.journals)
    verdict = judged(found)
    print(verdict.evidence.summary)
    print("\n| method | score | 95 % interval | evaluations |\n| --- | --- | --- | --- |")
    for name, score, low, high, spent, _ in table_of(found).rows:
        print(f"| {name} | {score:.2f} | {f'{low:.2f} to {high:.2f}' if low is not None else ''} | {spent:.0f} |")
    print()
    for key in ("emergence", "union_emergence"):
        measure = verdict.evidence.measure(key)
        if measure.value is not None and measure.interval is not None:
            nulls = ", ".join(f"{null.name} {null.mean:.2f}" for null in measure.nulls)
            print(f"{measure.name}: {measure.value:.2f} [{measure.interval.low:.2f}, {measure.interval.high:.2f}] ({nulls})")
            print(f"  by search: {', '.join(f'{value:.2f}' for value in measure.repeats)}")
    print(f"evaluated by {found.way}; {time.process_time() - start:.0f} s of processor time")


def made(seed: int, *, base_steps: int, expert_steps: int, rank: int) -> Problem:
    """The model, its experts and the sentences."""
    rng = keyed_generator(seed, "text")
    tables = torch.stack([torch.randperm(PEOPLE, generator=rng) for _ in range(OLD + NEW)])
    base = language_model(rng)
    fit(base, dict(base.named_parameters()), lambda: drawn(None, 128, rng), tables, steps=base_steps, rate=2e-3)
    experts = {f"relation {k}": expert_of(base, k, tables, rank=rank, steps=expert_steps, rng=rng) for k in range(NEW)}
    rows = [
        [person, *[(OLD, OLD + 1, old)[k] for k in order]] for person in range(PEOPLE) for old in range(OLD) for order in ORDERS
    ]
    composed = torch.tensor(rows)[torch.randperm(len(rows), generator=rng)]
    utility = Utility(
        items=items_of(composed[:200], tables),
        test=items_of(composed[200:], tables),
        test_shared={f"pair of new relation {k}": before(composed[200:], OLD + k, tables) for k in (0, 1)},
        score=exact_match,
        graded=log_probability,
    )
    kept = {name: items_of(drawn(k, 200, rng), tables) for k, name in enumerate(experts)}
    return Problem(
        network=base,
        pool=ExpertPool(base, experts, span="linear"),
        utility=utility,
        kept={**kept, SHARED: items_of(drawn(None, 200, rng), tables)},
        chance=1 / PEOPLE,  # of an expert that knows all but one of the relations
    )


def language_model(rng: Generator) -> nn.Module:
    """A Llama with fresh weights."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=WORDS, hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16, tie_word_embeddings=False, use_cache=False, attn_implementation="eager",
    )  # fmt: skip
    with seeded(rng):
        model = transformers.LlamaForCausalLM(config)
        nn.init.normal_(model.get_input_embeddings().weight)
    return model


def expert_of(base: nn.Module, skill: int, tables: Tensor, *, rank: int, steps: int, rng: Generator) -> Expert:
    """LoRA on every linear layer but the head."""
    base.requires_grad_(False)
    layers = {f"{name}.weight": m.weight for name, m in base.named_modules() if isinstance(m, nn.Linear) and "head" not in name}
    factors = {}
    for name, weight in layers.items():
        factors[f"{name} down"] = (torch.randn(rank, weight.shape[1], generator=rng) * weight.shape[1] ** -0.5).requires_grad_()
        factors[f"{name} up"] = torch.zeros(weight.shape[0], rank, requires_grad=True)

    def weights() -> dict[str, Tensor]:
        return {name: weight + factors[f"{name} up"] @ factors[f"{name} down"] for name, weight in layers.items()}

    fit(base, factors, lambda: drawn(skill, 128, rng), tables, steps=steps, rate=4e-3, weights=weights)
    return Expert(changes={n: Factors(down=factors[f"{n} down"].detach(), up=factors[f"{n} up"].detach()) for n in layers})


def fit(
    network: nn.Module,
    trained: dict[str, Tensor],
    draw: Callable[[], Tensor],
    tables: Tensor,
    *,
    steps: int,
    rate: float,
    weights: Callable[[], dict[str, Tensor]] = dict,
) -> None:
    """Next-token loss on the answers, with a learning rate that falls to 0."""
    optimiser = Adam(list(trained.values()), lr=rate)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, step / 50) * (1 - step / steps)
        items = items_of(draw(), tables)
        logits = functional_call(network, weights(), (), items.inputs).logits
        loss = F.cross_entropy(logits.flatten(0, 1), items.targets.flatten(), ignore_index=IGNORED)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def drawn(skill: int | None, num: int, rng: Generator) -> Tensor:
    """A person and three relations `(num, 4)`; about a third of the relations are the new one."""
    chains = torch.randint(OLD, (num, 1 + LENGTH), generator=rng)
    if skill is not None:
        chains[torch.rand(num, 1 + LENGTH, generator=rng) < 1 / 3] = OLD + skill
    chains[:, 0] = torch.randint(PEOPLE, (num,), generator=rng)
    return chains


def answers(chains: Tensor, tables: Tensor) -> Tensor:
    """The person after each relation."""
    people = [chains[:, 0]]
    for step in range(LENGTH):
        people.append(tables[chains[:, 1 + step], people[-1]])
    return torch.stack(people[1:], 1)


def before(chains: Tensor, relation: int, tables: Tensor) -> list[int]:
    """The person to whom a relation is applied: all sentences with the same such pair depend on one fact."""
    people = torch.cat([chains[:, :1], answers(chains, tables)[:, :-1]], 1)
    return people[chains[:, 1:] == relation].tolist()


def items_of(chains: Tensor, tables: Tensor) -> ScoredItems:
    """Sentences as tokens; the model is scored at the positions of the persons."""
    people = answers(chains, tables)
    possessive, colon = torch.full((len(chains), 1), OF), torch.full((len(chains), 1), COLON)
    relations = [torch.cat([possessive, PEOPLE + chains[:, k : k + 1]], 1) for k in range(1, 1 + LENGTH)]
    tokens = torch.cat([chains[:, :1], *relations, colon, people], 1)
    targets = torch.full_like(tokens[:, :-1], IGNORED)
    targets[:, -LENGTH:] = people
    return ScoredItems({"input_ids": tokens[:, :-1]}, targets)


def print_abilities(problem: Problem) -> None:
    one = Evaluator(problem.network, problem.pool, utility=problem.utility)
    size = len(problem.pool)
    eye = torch.eye(size, dtype=torch.float64).numpy()
    own = [one.score_items(eye[k : k + 1], problem.kept[name]).mean() for k, name in enumerate(problem.pool.names)]
    old = one.score_items(eye, problem.kept[SHARED]).mean(1)
    oracle = (eye[0] + eye[1])[None]
    print("each expert on its own relation", *(f"{value:.2f}" for value in own), "on old ones", *(f"{v:.2f}" for v in old))
    print(f"the sum of the two that are needed, on validation: {one.scores(oracle).mean():.2f}", flush=True)


if __name__ == "__main__":
    main()
