"""The time to a finished verdict on subnetworks, beside that of the same evidence made with NeuroSurgeon 0.1.0.

    OMP_NUM_THREADS=1 python bench/masks.py [--network mlp|bert] [--repeats 5] [--seeds 5] [--whole 3] [--all-prices] [--quick]

Two networks: bits through an MLP of 20-128-128-16 units, and words through a BERT of 2 layers, 128 channels and 2 heads, whose
393,216 masked weights see 64 problems of 16 tokens in a step. Ours is the whole instrument `subnetworks`, quick: both parts,
several seeds of the search, untrained copies, masks for nonsense, a path of prices each, and every ablation and control.

The reference makes a mask for every path of ours, at one price or at all of them, by the published recipe (neurosurgeon.py),
rebuilds its network for each of three ablations, and takes as many random masks. Its steps and ablations are timed interleaved
with ours, and the whole is their product, since it would take up to hours. On both networks a schedule as short as ours is run
at every price, and on the MLP the published ones at the published price, to show what their masks are worth beside ours: all
are chosen and judged alike.
"""

import argparse
import statistics
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

import torch
from neurosurgeon import BATCH, EPOCH_PROBLEMS, EPOCHS, PRICE, Reference
from spent import Spent, ratio, spent, told
from tiny_bert import TwoWords, fresh_bert, trained_bert
from torch import Generator, Tensor

from assay.evidence import Evidence
from assay.instruments.subnetworks import Subnetworks
from assay.instruments.subnetworks.controls import fresh_others, random_removals, removals
from assay.instruments.subnetworks.instrument import BUDGETS
from assay.instruments.subnetworks.problems import Network, Problems, draw_problems, fails_gate
from assay.instruments.subnetworks.trail import OWN, Point, Trail, follow, judged
from assay.masks import ContinuousSparsification, Mask, MaskTraining, SearchConfig, masked, run, units_of
from assay.stats import gain_over
from assay.subject import Subject
from assay.task import Examples
from assay.tasks.bit_parity import BitParity
from assay.tasks.odd_one_out import OddOneOut
from assay.zoo.part_problems import part_problem_network


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
        self.setting, self.network = setting, Network(setting.subject.module, setting.task.objective)
        self.size = replace(BUDGETS["quick"], steps=100, later_steps=50, prices=(2.0, 20.0)) if quick else BUDGETS["quick"]
        self.units = units_of(self.network.module, layers=setting.layers)
        draws = Generator().manual_seed(100)
        sizes = {"num_training": self.size.training, "num_judging": self.size.judging}
        self.problems: Problems = draw_problems(setting.task, **sizes, num_nonsense=0, generator=draws)
        self.config = SearchConfig(steps=self.size.steps, later_steps=self.size.later_steps)
        # How many paths a verdict takes, for each of which the reference needs a mask; and the steps of one, at most.
        self.num_paths = 2 * (self.size.seeds + self.size.copies) + self.size.nonsense
        self.num_steps = self.size.steps + (len(self.size.prices) - 1) * self.size.later_steps

    def verdict(self, seed: int) -> Evidence:
        instrument, draws = Subnetworks(layers=self.setting.layers), Generator().manual_seed(seed)
        return instrument.measure(self.setting.subject, self.setting.task, effort="quick", generator=draws)

    def path(self, part: str, seed: int) -> Point | None:
        """The mask that a path of ours chooses."""
        draws, prices = Generator().manual_seed(200 + seed), self.size.prices
        args = (self.network, self.units, self.problems, part)
        return follow(*args, prices=prices, config=self.config, generator=draws).chosen

    def reference(self, price: float) -> Reference:
        return Reference(self.network.module, [place.parameter for place in self.units.places], price / len(self.units))

    def sets(self, part: str) -> list[Examples]:
        return [self.problems.checking[part], *(self.problems.testing[one] for one in (part, self.problems.other(part)))]

    def examples(self, part: str, num: int) -> Examples:
        return self.setting.task.reading(part, num, pool="mask", generator=Generator().manual_seed(300))

    def controls(self, part: str, point: Point, *, draws: int) -> None:
        """What a verdict does with a chosen mask: it is removed in every way, and so are random masks of its size."""
        generator = Generator().manual_seed(400)
        args = (self.problems, part, point.mask)
        others = fresh_others(self.network.module, (), 5, generator)
        removals(self.network, *args, others=others, draws=5, generator=generator)
        random_removals(self.network, self.units, *args, draws=draws, generator=generator)

    def steps(self, examples: Examples, price: float) -> Iterator[None]:
        """Steps of our search, without end, at the first temperature."""
        training = MaskTraining(
            self.network.module,
            self.units,
            loss=self.network.objective.loss,
            price=price,
            relaxation=ContinuousSparsification(),
            learning_rate=self.config.learning_rate,
        )
        draws = Generator().manual_seed(500)
        while True:
            rows = torch.randint(len(examples), (BATCH,), generator=draws)
            training.step({"items": examples.inputs["items"][rows]}, examples.targets[rows], progress=0.0, generator=draws)
            yield

    def accuracy(self, mask: Mask, examples: Examples) -> float:
        outputs = run(self.network.module, masked(self.network.weights, mask), examples.inputs)
        return float((outputs.argmax(1) == examples.targets).float().mean())


# What is printed


def quality(both: Comparison, *, seeds: int, long: bool, all_prices: bool) -> tuple[dict[str, Point], list[Spent]]:
    """Our masks and those of the reference, judged alike; returns one of ours for each part, and the times of our paths."""
    chosen, paths = {}, []
    for part in both.problems.parts:
        points: list[Point | None] = []
        for seed in range(seeds):
            paths.append(spent(lambda part=part, seed=seed, points=points: points.append(both.path(part, seed))))
        ours = [point for point in points if point is not None]
        print(f"part {part}: {len(ours)} of {seeds} paths of ours isolate it")
        for point in ours:
            print(row("ours, a path", point))
        if not ours:
            continue
        chosen[part] = ours[0]
        prices, (most, fewest) = both.size.prices, EPOCH_PROBLEMS
        reference_best(both, part, ours, prices=prices, num=most, per_epoch=max(1, both.num_steps // EPOCHS))
        for num in (fewest, most) if long else ():
            reference_best(both, part, ours, prices=prices if all_prices else (PRICE,), num=num)
    return chosen, paths


def reference_best(
    both: Comparison, part: str, ours: Sequence[Point], *, prices: Sequence[float], num: int, per_epoch: int | None = None
) -> Point | None:
    """Its mask at every price, and the one that is chosen as ours is."""
    per_epoch = per_epoch or -(-num // BATCH)
    best = Trail(tuple(reference_point(both, part, price, num=num, per_epoch=per_epoch) for price in prices)).chosen
    told = "none isolates the part" if best is None else differences(best, ours)
    print(f"  the one of these that is chosen, less ours: {told}", flush=True)
    return best


def reference_point(both: Comparison, part: str, price: float, *, num: int, per_epoch: int) -> Point:
    reference, sets = both.reference(price), both.sets(part)
    steps = reference.steps(both.examples(part, num), per_epoch=per_epoch, generator=Generator().manual_seed(0))
    last: deque[dict[str, Tensor]] = deque(maxlen=1)
    cost = spent(lambda: last.extend(steps))
    mask = reference.mask(last[0])
    alone, *_ = reference.ablations(last[0], sets)
    apart = max(abs(their - both.accuracy(mask, examples)) for their, examples in zip(alone, sets, strict=True))
    assert apart < 0.01, "NeuroSurgeon and the instrument do not judge the same mask"
    checking = both.problems.checking[part]
    point = judged(both.network, both.problems, part, mask, checking, price=price)
    print(row(f"NeuroSurgeon, {EPOCHS * per_epoch} steps, CPU {cost.cpu:.1f} s, wall {cost.wall:.1f} s", point), flush=True)
    return point


def row(name: str, point: Point) -> str:
    numbers = {"own": point.accuracy, "sub": point.alone.kept, "abl": point.without.removed, "kept": point.density}
    return f"  {name:54} price {point.price:<5.2g} " + "  ".join(f"{key} {value:+.3f}" for key, value in numbers.items())


def differences(point: Point, ours: Sequence[Point]) -> str:
    """With intervals that hold 0 where the reference could be one more of our masks; see `gain_over`."""
    own, num = point.accuracy, len(point.alone.own.units)
    found = {
        "own": gain_over(own, own * (1 - own) / num, [one.accuracy for one in ours]),
        "sub": gain_over(point.alone.kept, point.alone.variance, [one.alone.kept for one in ours]),
        "abl": gain_over(point.without.removed, point.without.variance, [one.without.removed for one in ours]),
    }
    told = []
    for name, gain in found.items():
        low, high = gain.interval.low, gain.interval.high
        told.append(f"{name} {gain.gain:+.3f} [{low:+.3f}, {high:+.3f}]{'' if low <= 0 <= high else ' (differs)'}")
    return ", ".join(told)


def times(both: Comparison, chosen: dict[str, Point], paths: Sequence[Spent], *, options: argparse.Namespace) -> None:
    size, part = both.size, next(iter(chosen))
    point, examples = chosen[part], both.examples(part, both.size.training)
    reference = both.reference(point.price)
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
        rows["controls"].append(spent(lambda: both.controls(part, point, draws=size.draws)))
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
    for num, tries in product(EPOCH_PROBLEMS, (1, len(size.prices))):
        steps, masks = EPOCHS * -(-num // BATCH), both.num_paths * tries
        whole = [
            step.times(masks * steps) + ablations.times(masks) + random.times(2)
            for step, ablations, random in zip(rows["their step"], rows["ablations"], rows["random"], strict=True)
        ]
        print(f"whole evidence of NeuroSurgeon, {both.num_paths} masks of {steps} steps at {tries} prices: {told(whole)}")
        print(f"  ratio to ours: {ratio(whole[: len(ours)], ours)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", choices=SETTINGS, help="only one of the two")
    parser.add_argument("--repeats", type=int, default=5, help="of every time")
    parser.add_argument("--seeds", type=int, default=5, help="paths of ours for each part that show how its masks scatter")
    parser.add_argument("--block", type=int, default=50, help="steps timed at once")
    parser.add_argument("--whole", type=int, default=3, help="whole verdicts of ours; 0: only a path times their number")
    parser.add_argument("--all-prices", action="store_true", help="the published schedules at all our prices, not at theirs")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: short searches, one repeat")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.seeds, options.block, options.whole = 1, 2, 3, 0
    torch.set_num_threads(1)
    torch.manual_seed(0)  # NeuroSurgeon draws from the global generator
    for name in [options.network] if options.network else SETTINGS:
        setting = SETTINGS[name]()
        both = Comparison(setting, quick=options.quick)
        print(f"{setting.name}, {len(both.units):,} masked weights, {both.size.training:,} problems for a path", flush=True)
        print(f"  {fails_gate(both.network, both.problems, OWN) or 'the network solves its task and both parts'}", flush=True)
        long = name == "mlp" and not options.quick
        chosen, paths = quality(both, seeds=options.seeds, long=long, all_prices=options.all_prices)
        if chosen:
            times(both, chosen, paths, options=options)


SETTINGS = {"mlp": mlp, "bert": bert}

if __name__ == "__main__":
    main()
