"""Time to a finished verdict on subnetworks, against the same evidence made with NeuroSurgeon 0.1.0.

    OMP_NUM_THREADS=1 python bench/masks.py [--network mlp|bert] [--repeats 5] [--seeds 5] [--whole 3] [--all-prices] [--quick]

Two networks: bits through an MLP of 20-128-128-16 units, and words through a BERT of 2 layers, 128 channels and 2 heads, whose
393,216 masked weights get 64 problems of 16 tokens in a step. Assay's side is the whole instrument `subnetworks` at quick
effort: both parts, several seeds of the search, untrained copies, masks for nonsense problems, a path of prices for each, and
every ablation and control.

The reference makes a mask for each of Assay's paths, at one price or at all of them, by the published recipe (neurosurgeon.py),
rebuilds its network for each of three ablations, and draws as many random masks. Its steps and ablations are timed interleaved
with Assay's; the total is their product, since a whole run would take up to hours. To compare the quality of the masks, a
schedule as short as Assay's is run at every price on both networks, and the published schedules at the published price on the
MLP; all masks are chosen and evaluated alike.
"""

import argparse
import statistics
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import torch
from neurosurgeon import BATCH, EPOCH_PROBLEMS, EPOCHS, PRICE, Reference
from spent import Spent, ratio, spent, told
from tiny_bert import TwoWords, fresh_bert, trained_bert
from torch import Generator, Tensor

from assay.evidence import Evidence
from assay.instrument import Random
from assay.instrument import run as run_instrument
from assay.instruments.subnetworks import Subnetworks
from assay.instruments.subnetworks.controls import FRESH, ablations, random_ablations
from assay.instruments.subnetworks.instrument import BUDGETS
from assay.instruments.subnetworks.path import SOLVES, PathPoint, SparsityPath, fit_path, judged
from assay.instruments.subnetworks.problems import MaskedModel
from assay.masks import ContinuousSparsification, Mask, MaskTraining, SearchConfig, masked, run
from assay.stats import gain_over
from assay.subject import Subject
from assay.task import Examples
from assay.tasks.bit_parity import BitParity
from assay.tasks.odd_one_out import OddOneOut

sys.path.insert(0, str(Path(__file__).parents[1]))  # the zoo is not installed
from zoo.part_problems import part_problem_network


@dataclass(frozen=True)
class Setting:
    """A network that solves a task, and where its masks are."""

    name: str
    task: OddOneOut
    subject: Subject
    layers: tuple[str, ...]


def mlp() -> Setting:
    return Setting("bits, MLP", BitParity(), part_problem_network("trained", 0)[1], ("*",))


def bert() -> Setting:
    task = TwoWords()
    return Setting("words, BERT of the tiny shape", task, Subject(trained_bert(task), fresh=fresh_bert), ("*.layer.*",))


class Comparison:
    """Both sides on one network and the same problems, with the sizes of a quick verdict."""

    def __init__(self, setting: Setting, *, quick: bool):
        self.setting, self.instrument = setting, Subnetworks(layers=setting.layers)
        size = replace(BUDGETS["quick"], steps=(100, 50), penalties=(2.0, 20.0)) if quick else BUDGETS["quick"]
        self.problems = self.instrument.data(setting.subject, setting.task, replace(size, nonsense=0), Random(100, "problems"))
        self.size, self.units, (first, later) = size, self.problems.units, size.steps
        self.model = MaskedModel(setting.subject.module, self.problems)
        self.learning_rate = SearchConfig().learning_rate
        # How many paths a verdict takes, for each of which the reference needs a mask; and the steps of one, at most.
        self.num_paths = 2 * (size.seeds + size.copies) + size.nonsense
        self.num_steps = first + (len(size.penalties) - 1) * later

    def verdict(self, seed: int) -> Evidence:
        return run_instrument(self.instrument, self.setting.subject, self.setting.task, effort="quick", seed=seed)

    def path(self, part: str, seed: int) -> PathPoint | None:
        """The mask that a path of ours chooses."""
        return fit_path(self.model, part, generator=Generator().manual_seed(200 + seed)).chosen

    def reference(self, price: float) -> Reference:
        return Reference(self.model.module, [place.parameter for place in self.units.places], price / len(self.units))

    def sets(self, part: str) -> list[Examples]:
        return [self.problems.checking[part], *(self.problems.testing[one] for one in (part, self.problems.other(part)))]

    def examples(self, part: str, num: int) -> Examples:
        return self.setting.task.reading(part, num, pool="mask", generator=Generator().manual_seed(300))

    def controls(self, part: str, point: PathPoint) -> None:
        """What a verdict does with a chosen mask: it is removed in every way, and so are random masks of its size."""
        generator = Generator().manual_seed(400)
        others = [self.setting.subject.untrained(generator).module for _ in range(FRESH)]
        ablations(self.model, part, point.mask, others=others, generator=generator)
        random_ablations(self.model, part, point.mask, generator=generator)

    def steps(self, examples: Examples, price: float) -> Iterator[None]:
        """Steps of our search, without end, at the first temperature."""
        training = MaskTraining(
            self.model.module,
            self.units,
            loss=self.setting.task.objective.loss,
            price=price,
            relaxation=ContinuousSparsification(),
            learning_rate=self.learning_rate,
        )
        draws = Generator().manual_seed(500)
        while True:
            rows = torch.randint(len(examples), (BATCH,), generator=draws)
            training.step({"items": examples.inputs["items"][rows]}, examples.targets[rows], progress=0.0, generator=draws)
            yield

    def accuracy(self, mask: Mask, examples: Examples) -> float:
        outputs = run(self.model.module, masked(self.model.weights, mask), examples.inputs)
        return float((outputs.argmax(1) == examples.targets).float().mean())


# What is printed


def quality(both: Comparison, *, seeds: int, long: bool, all_prices: bool) -> tuple[dict[str, PathPoint], list[Spent]]:
    """Masks of Assay and of the reference, evaluated alike. Returns one of Assay's masks for each part, and the times of its
    paths."""
    chosen, paths = {}, []
    for part in both.problems.parts:
        points: list[PathPoint | None] = []
        for seed in range(seeds):
            paths.append(spent(lambda part=part, seed=seed, points=points: points.append(both.path(part, seed))))
        ours = [point for point in points if point is not None]
        print(f"part {part}: {len(ours)} of {seeds} paths of ours isolate it")
        for point in ours:
            print(row("ours, a path", point))
        if not ours:
            continue
        chosen[part] = ours[0]
        prices, (most, fewest) = both.size.penalties, EPOCH_PROBLEMS
        reference_best(both, part, ours, prices=prices, num=most, per_epoch=max(1, both.num_steps // EPOCHS))
        for num in (fewest, most) if long else ():
            reference_best(both, part, ours, prices=prices if all_prices else (PRICE,), num=num)
    return chosen, paths


def reference_best(
    both: Comparison, part: str, ours: Sequence[PathPoint], *, prices: Sequence[float], num: int, per_epoch: int | None = None
) -> PathPoint | None:
    """The reference's mask at every price, and the one that is chosen by Assay's rule."""
    per_epoch = per_epoch or -(-num // BATCH)
    best = SparsityPath(tuple(reference_point(both, part, price, num=num, per_epoch=per_epoch) for price in prices)).chosen
    told = "none isolates the part" if best is None else differences(best, ours)
    print(f"  the one of these that is chosen, less ours: {told}", flush=True)
    return best


def reference_point(both: Comparison, part: str, price: float, *, num: int, per_epoch: int) -> PathPoint:
    reference, sets = both.reference(price), both.sets(part)
    steps = reference.steps(both.examples(part, num), per_epoch=per_epoch, generator=Generator().manual_seed(0))
    last: deque[dict[str, Tensor]] = deque(maxlen=1)
    cost = spent(lambda: last.extend(steps))
    mask = reference.mask(last[0])
    alone, *_ = reference.ablations(last[0], sets)
    apart = max(abs(their - both.accuracy(mask, examples)) for their, examples in zip(alone, sets, strict=True))
    assert apart < 0.01, "NeuroSurgeon and the instrument do not judge the same mask"
    checking = both.problems.checking[part]
    point = judged(both.model, part, mask, checking, penalty=price)
    print(row(f"NeuroSurgeon, {EPOCHS * per_epoch} steps, CPU {cost.cpu:.1f} s, wall {cost.wall:.1f} s", point), flush=True)
    return point


def row(name: str, point: PathPoint) -> str:
    numbers = {"own": point.accuracy, "sub": -point.alone.necessity, "abl": point.without.necessity, "kept": point.density}
    return f"  {name:54} price {point.penalty:<5.2g} " + "  ".join(f"{key} {value:+.3f}" for key, value in numbers.items())


def differences(point: PathPoint, ours: Sequence[PathPoint]) -> str:
    """Differences, with intervals that contain 0 if the reference could be one more of Assay's masks; see `gain_over`."""
    own, num = point.accuracy, len(point.alone.own.units)
    found = {
        "own": gain_over(own, own * (1 - own) / num, [one.accuracy for one in ours]),
        "sub": gain_over(-point.alone.necessity, point.alone.variance, [-one.alone.necessity for one in ours]),
        "abl": gain_over(point.without.necessity, point.without.variance, [one.without.necessity for one in ours]),
    }
    told = []
    for name, gain in found.items():
        low, high = gain.interval.low, gain.interval.high
        told.append(f"{name} {gain.gain:+.3f} [{low:+.3f}, {high:+.3f}]{'' if low <= 0 <= high else ' (differs)'}")
    return ", ".join(told)


def times(both: Comparison, chosen: dict[str, PathPoint], paths: Sequence[Spent], *, options: argparse.Namespace) -> None:
    size, part = both.size, next(iter(chosen))
    point, examples = chosen[part], both.examples(part, both.size.training)
    reference = both.reference(point.penalty)
    logits = {name: point.mask.full(name).float() - 0.5 for name in reference.parameters}
    rows: dict[str, list[Spent]] = {name: [] for name in ("whole", "step", "controls", "their step", "ablations", "random")}
    for turn in range(options.repeats):
        if turn < options.whole:
            rows["whole"].append(spent(lambda turn=turn: both.verdict(turn)))
        mine, theirs = (
            both.steps(examples, reference.price),
            reference.steps(examples, per_epoch=10**6, generator=Generator().manual_seed(turn)),
        )
        next(mine), next(theirs)  # builds the models
        for name, steps in {"step": mine, "their step": theirs}.items():
            rows[name].append(spent(lambda steps=steps: list(islice(steps, options.block))).times(1 / options.block))
        rows["controls"].append(spent(lambda: both.controls(part, point)))
        rows["ablations"].append(spent(lambda: reference.ablations(logits, both.sets(part))))
        rows["random"].append(spent(lambda: reference.random_masks(logits, both.sets(part)[1:], draws=size.draws)))
    print(f"a step of ours: {told(rows['step'], 'ms')}\na step of NeuroSurgeon: {told(rows['their step'], 'ms')}")
    print(f"ratio of steps: {ratio(rows['their step'], rows['step'])}")
    print(f"a path of ours, at most {both.num_steps} steps, with its accuracies: {told(paths)}")
    print(f"three ablations of NeuroSurgeon's: {told(rows['ablations'])}")
    print(f"{size.draws} random masks of its size, NeuroSurgeon: {told(rows['random'])}")
    print(f"the same and every other removal, ours: {told(rows['controls'])}")
    mean = Spent(statistics.mean(one.cpu for one in paths), statistics.mean(one.wall for one in paths))
    by_paths = [mean.times(both.num_paths) + one.times(2) for one in rows["controls"]]
    if rows["whole"]:
        print(f"whole verdict of ours: {told(rows['whole'])}")
    print(f"the same from {both.num_paths} paths and 2 times these removals: {told(by_paths)}")
    ours = rows["whole"] or by_paths
    for num, tries in product(EPOCH_PROBLEMS, (1, len(size.penalties))):
        steps, masks = EPOCHS * -(-num // BATCH), both.num_paths * tries
        whole = [
            step.times(masks * steps) + ablations.times(masks) + random.times(2)
            for step, ablations, random in zip(rows["their step"], rows["ablations"], rows["random"], strict=True)
        ]
        print(f"whole evidence of NeuroSurgeon, {both.num_paths} masks of {steps} steps at {tries} prices: {told(whole)}")
        print(f"  ratio to ours: {ratio(whole[: len(ours)], ours)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=SETTINGS, help="run only one of the two networks")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of every timing")
    parser.add_argument("--seeds", type=int, default=5, help="Assay's paths for each part, for the spread of its masks")
    parser.add_argument("--block", type=int, default=50, help="steps timed at once")
    parser.add_argument(
        "--whole", type=int, default=3, help="whole verdicts of Assay; 0: the time of a path times their number"
    )
    parser.add_argument(
        "--all-prices", action="store_true", help="the published schedules at all of Assay's prices, not at the published one"
    )
    parser.add_argument("--quick", action="store_true", help="smoke test: short searches, one repeat")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.seeds, options.block, options.whole = 1, 2, 3, 0
    torch.set_num_threads(1)
    torch.manual_seed(0)  # NeuroSurgeon draws from the global generator
    for name in [options.network] if options.network else SETTINGS:
        setting = SETTINGS[name]()
        both = Comparison(setting, quick=options.quick)
        print(f"{setting.name}, {len(both.units):,} masked weights, {both.size.training:,} problems for a path", flush=True)
        print(f"  {both.model.unsolved(SOLVES) or 'the network solves its task and both parts'}", flush=True)
        long = name == "mlp" and not options.quick
        chosen, paths = quality(both, seeds=options.seeds, long=long, all_prices=options.all_prices)
        if chosen:
            times(both, chosen, paths, options=options)


SETTINGS = {"mlp": mlp, "bert": bert}

if __name__ == "__main__":
    main()
