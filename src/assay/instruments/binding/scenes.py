"""Binding in scenes of objects: the scenes that are drawn, and the reading of one network."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from assay.entities import ObjectScenes, ShowsObjects, trained_objects
from assay.errors import AssayError
from assay.evidence import Interval
from assay.instrument import Control, NotEnough, Random, Reading, Values
from assay.instruments.binding import metrics
from assay.instruments.binding.grouping import Grouping, grouping, values_of_grouping
from assay.instruments.binding.interactions import from_interactions
from assay.instruments.binding.metrics import BindingBudget, raw_of, values_of, values_of_lowest
from assay.instruments.binding.pictures import PlaceGrid, blind, from_maps, from_masks, map_at, mask_sites, read_maps
from assay.instruments.binding.scene_figures import PICTURED, Pictured
from assay.instruments.binding.scores import NormalisedScore, Word, composite, normalised, word
from assay.instruments.binding.segmentation import contingency, fg_ari, matched_iou
from assay.instruments.binding.states import common_format, isolation, left_out, which
from assay.probe import Design, one_hot
from assay.stats import MIN_UNITS, mean_interval
from assay.subject import Subject
from assay.task import Task
from assay.views import NoNovelInputs

HOW = {
    "blind grid": "cells of a grid, as many as the network has segments",
    "another scene's": "the segments of another scene",
    "positions": "k-means of the positions of pixels",
    "colours": "k-means of the colours of the input",
    "superposition": "the same read from the sum of all states of the scene",
    "another scene's states": "the same read from the states of another scene",
}


@dataclass(frozen=True)
class ReadScenes:
    """One network on some scenes. `states`: for every object the state `(n, k, d)` of the segment that it is matched with."""

    segments: Int[Tensor, "n rows columns"]
    states: Float[Tensor, "n k d"]


@dataclass(frozen=True)
class Where:
    """Where segments come from: the site of `masks`, or clusters at the site of `maps` with its `grid`, or, with neither,
    interactions of the outputs. `states`: the site of the slots, or the maps; `num`: number of segments."""

    masks: str
    maps: str
    states: str
    num: int
    grid: PlaceGrid = (0, 0)


@dataclass(frozen=True)
class KeptScenes:
    """What the summary and the figures need."""

    where: Where
    base: int
    ceiling: float
    scores: Mapping[str, NormalisedScore]
    learned: Interval | None
    word: Word
    by_size: Mapping[int, Float[Tensor, " n"]]
    nulls: Mapping[int, Mapping[str, float]]
    grouping: Grouping | str
    pictured: Pictured | None
    segments: Mapping[int, Int[Tensor, "n rows columns"]]


@dataclass(frozen=True)
class ScenesDraw:
    """The data.

    **Attributes:**

    - `shown`: scenes, by number of objects.
    - `exchanged`: the scenes with the fewest objects, with one attribute of two objects exchanged; `changed`: the same with
      another value of the last attribute of the first object. A scene stays as it was where the edit would make an untrained
      pair.
    - `novel`: scenes whose first object has an untrained pair; none where the access level forbids novel inputs.
    - `places`: the seed by which pairs of places are drawn, the same for every network.
    """

    budget: BindingBudget
    sizes: tuple[int, ...]
    shown: Mapping[int, ObjectScenes]
    exchanged: ObjectScenes
    changed: ObjectScenes
    novel: ObjectScenes
    num_values: tuple[int, ...]
    places: Random

    @classmethod
    def draw(cls, task: Task, budget: BindingBudget, rng: Random) -> "ScenesDraw":
        """**Raises:** `NotEnough` for fewer than five scenes, `AssayError` for a task that shows no objects."""
        if not isinstance(task, ShowsObjects):
            raise AssayError("a task that binds entities in scenes must be a ShowsObjects", given=type(task).__name__)
        shows: ShowsObjects = task
        shown = {
            size: shows.scenes(budget.contexts, size=size, novel=False, generator=rng("scenes", size))
            for size in (*shows.sizes, *shows.larger)
        }
        base = shown[min(shows.sizes)]
        if len(base) < MIN_UNITS:
            raise NotEnough(f"{len(base)} scenes, and {MIN_UNITS} are needed")
        try:
            novel = shows.scenes(budget.contexts, size=min(shows.sizes), novel=True, generator=rng("novel"))
        except NoNovelInputs:
            novel = base.take(torch.arange(0))
        num_values = tuple(shows.attributes.values())
        swapped, other = base.attributes.clone(), base.attributes.clone()
        swapped[:, 0, -1], swapped[:, 1, -1] = base.attributes[:, 1, -1], base.attributes[:, 0, -1]
        step = torch.randint(1, num_values[-1], (len(base),), generator=rng("changed"))
        other[:, 0, -1] = (other[:, 0, -1] + step) % num_values[-1]
        # Trained pairs only: these scenes are also read at access level 0.
        swapped, other = (
            torch.where(trained_objects(task, each).all(1)[:, None, None], each, base.attributes) for each in (swapped, other)
        )
        exchanged, changed = shows.redrawn(base, swapped), shows.redrawn(base, other)
        return cls(budget, shows.sizes, shown, exchanged, changed, novel, num_values, rng.within("places"))

    def read(self, network: Subject, rng: Random, own: KeptScenes | None) -> Reading:
        """Read one network. `own`: for an untrained copy, the reading of the network under test."""
        base = min(self.sizes)
        where = own.where if own else self._where(network, base)
        found = {size: self._see(network, where, scenes) for size, scenes in self.shown.items() if size <= where.num}
        by_size, nulls, segregated, values = {}, {}, {}, []
        for size, read in found.items():
            units, others = self._segregated(size, read, where)
            segregated[size] = units["fg_ari"].float(), {name: each.float() for name, each in others.items()}
            by_size[size], nulls[size] = units["fg_ari"], {name: float(each.mean()) for name, each in others.items()}
            values += self._raw(size, units, others)
        scores = {"segregation": normalised(*segregated[base])}
        raw = {"segregation": raw_of(scores["segregation"], "FG-ARI")}
        values.append(values_of(metrics.SEGREGATION, scores["segregation"], HOW, raw=raw["segregation"]))
        decode, rows, isolated = self._separated(network, where, base, found[base])
        scores["separation"] = decode
        raw["separation"] = raw_of(decode, "binding told right, .5 undecided", rows if decode.value is not None else None)
        values += [
            values_of(metrics.SEPARATION, decode, HOW, raw=raw["separation"]), isolated, self._format(base, found[base])
        ]  # fmt: skip
        right, reused = self._reused(network, where, base, found[base], own)
        if len(self.novel) >= MIN_UNITS:
            scores["reuse, queried"] = reused
            raw["reuse, queried"] = raw_of(reused, "both attributes named")
            values.append(values_of(metrics.REUSE, reused, HOW, raw=raw["reuse, queried"], about={"pairs": "queried"}))
        lowest = composite(scores, generator=rng("lowest")) if len(scores) > 2 else None
        values.append(values_of_lowest(lowest, scores["segregation"].units, raw))
        learned = mean_interval(right, bounds=(0.0, 1.0))
        told: Word = word(learned, list(scores.values())) if len(scores) > 2 else "undecided"
        ceiling = own.ceiling if own else float(right.mean())
        grouped = self._grouped(network, base, own)
        values += values_of_grouping(grouped)
        pictured = None if own else self._pictured(base, found[base], where)
        segments = {} if own else {size: read.segments for size, read in found.items()}
        kept = KeptScenes(where, base, ceiling, scores, learned, told, by_size, nulls, grouped, pictured, segments)
        return Reading(values, kept)

    def _pictured(self, base: int, read: ReadScenes, where: Where) -> Pictured:
        scenes = self.shown[base]
        image = next(iter(scenes.inputs.values()))
        others = blind(image, read.segments, where.num if where.masks else base + 1)
        partitions = {name: segments[:PICTURED] for name, segments in {"network": read.segments, **others}.items()}
        return Pictured(image[:PICTURED], scenes.objects[:PICTURED], partitions)

    def _grouped(self, network: Subject, base: int, own: KeptScenes | None) -> Grouping | str:
        if own and isinstance(own.grouping, str):
            return own.grouping
        site = own.grouping.site if own and isinstance(own.grouping, Grouping) else None
        return grouping(network, self.shown[base], self.places, most=self.budget.sites, own=site)

    def _where(self, network: Subject, size: int) -> Where:
        """The masks and their slots if the network has masks; else the map whose clusters have the highest FG-ARI on half of
        the scenes; else interactions. **Raises:** `AssayError` for fewer slots than objects."""
        scenes = self.shown[size].take(torch.arange(len(self.shown[size])) % 2 == 0)
        rows, columns = scenes.objects.shape[1:]
        sites = network.sites(scenes.inputs)
        wide = [site.name for site in sites if len(site.shape) == 3 and site.calls == 1]
        masks = mask_sites(network.read(scenes.inputs, wide), rows, columns) if wide else []
        if masks:
            num = next(site.shape[0] for site in sites if site.name == masks[-1])
            if num < size:
                raise AssayError(
                    "a network needs as many slots as there are objects in a scene",
                    given=f"{num} slots at {masks[-1]} for {size} objects",
                    next_step="build it with more slots, or show fewer objects",
                )
            slots = [site.name for site in sites if len(site.shape) == 2 and site.shape[0] == num and site.calls == 1]
            return Where(masks[-1], "", slots[-1] if slots else "", num)
        maps = read_maps(network, scenes.inputs, sites, rows, columns)
        if not maps and len(scenes.inputs) > 1:
            raise AssayError(
                "a network whose input is not a single picture must hold masks or a map of the picture",
                given=f"no site with places of the picture, and {', '.join(scenes.inputs)}",
                next_step="give a convolutional network, or one with slots",
            )
        if not maps:
            return Where("", "", "", max(self.shown) + 1)
        scores = {
            name: float(fg_ari(contingency(from_maps(each, size + 1, rows, columns), scenes.objects)).nanmean())
            for name, each in maps.items()
        }
        best = max(maps, key=lambda name: scores[name])
        return Where("", best, best, max(self.shown) + 1, (maps[best].shape[2], maps[best].shape[3]))

    def _see(self, network: Subject, where: Where, scenes: ObjectScenes) -> ReadScenes:
        """Segments, and for each object the state of the segment that it is matched with."""
        rows, columns = scenes.objects.shape[1:]
        k = scenes.attributes.shape[1]
        if where.masks:
            names = [where.masks, *([where.states] if where.states else [])]
            read = network.read(scenes.inputs, names)
            segments = from_masks(read[where.masks])
            states = read[where.states] if where.states else read[where.masks].flatten(2)
        elif not where.maps:
            segments, states = from_interactions(network, scenes.inputs, k + 1)
        else:
            maps = map_at(network.read(scenes.inputs, [where.maps])[where.maps], where.grid)
            segments = from_maps(maps, k + 1, rows, columns)
            whole = torch.nn.functional.interpolate(maps.float(), size=(rows, columns), mode="nearest").flatten(2)
            member = torch.nn.functional.one_hot(segments.flatten(1), k + 1).float()
            states = torch.einsum("ndp,npk->nkd", whole, member) / member.sum(1)[..., None].clamp(min=1)
        chosen = _matched(segments, scenes, states.shape[1])[..., None].expand(-1, -1, states.shape[2])
        return ReadScenes(segments, states.gather(1, chosen))

    def _segregated(self, size: int, read: ReadScenes, where: Where) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """FG-ARI and matched IoU of every scene, and FG-ARI of the segmentations that need no network."""
        scenes = self.shown[size]
        counts = contingency(read.segments, scenes.objects)
        k = where.num if where.masks else size + 1
        image = next(iter(scenes.inputs.values()))
        others = {
            name: fg_ari(contingency(segments, scenes.objects)) for name, segments in blind(image, read.segments, k).items()
        }
        return {"fg_ari": fg_ari(counts), "matched_iou": matched_iou(counts)}, others

    def _raw(self, size: int, units: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> list[Values]:
        controls = tuple(Control(name=name, how=HOW[name], values=each.float()[None]) for name, each in others.items())
        note = "" if size in self.sizes else "more objects than any trained scene"
        about = {"objects": str(size)}
        return [
            Values(metric=metrics.FG_ARI.key, about=about, units=units["fg_ari"].float(), controls=controls, note=note),
            Values(metric=metrics.IOU.key, about=about, units=units["matched_iou"].float(), note=note),
        ]

    def _separated(
        self, network: Subject, where: Where, size: int, read: ReadScenes
    ) -> tuple[NormalisedScore, Int[Tensor, " r"], Values]:
        """Separation, the scenes that it is read on, and isolation."""
        scenes = self.shown[size]
        # Another binding exists only where the two objects differ in both attributes.
        pair = scenes.attributes[:, :2]
        exchanged = (self.exchanged.attributes != scenes.attributes).flatten(1).any(1)
        rows = ((pair[:, 0] != pair[:, 1]).all(1) & exchanged).nonzero()[:, 0]
        groups = (pair.sort(1).values.flatten(1) * torch.tensor([1, 11, 121, 1331])).sum(1)[rows]
        other = self._see(network, where, self.exchanged)
        one, two = read.states[rows, :2], other.states[rows, :2]
        if len(groups.unique()) < MIN_UNITS:
            score = normalised(torch.zeros(0), {"superposition": torch.zeros(0)})
        else:
            found = which(one, two, pair[rows], num_values=self.num_values, groups=groups)
            sums = one.sum(1, keepdim=True), two.sum(1, keepdim=True)
            summed = which(*sums, pair[rows], num_values=self.num_values, groups=groups)
            score = normalised(found, {"superposition": summed})
        moved = self._see(network, where, self.changed)
        try:
            value, units = isolation(read.states, moved.states, scenes.attributes, num_values=self.num_values)
        except AssayError as error:
            return score, rows, Values(metric=metrics.ISOLATION.key, units=torch.zeros(0), reason=error.rule)
        return score, rows, Values(metric=metrics.ISOLATION.key, units=units, bounds=None if value < 0 else (-1.0, 1.0))

    def _format(self, size: int, read: ReadScenes) -> Values:
        """Common format: whether read-outs fitted on the states of one object work on those of the others."""
        attributes = self.shown[size].attributes

        def both(states: Tensor) -> tuple[Tensor, Tensor]:
            each = [common_format(states, attributes[..., a], num_values=values) for a, values in enumerate(self.num_values)]
            own, others = (torch.stack(units).mean(0) for units in zip(*each, strict=True))
            return own, others

        own, others = both(read.states)
        name = "another scene's states"
        control = Control(name=name, how=HOW[name], values=both(read.states.roll(1, 0))[1][None])
        return Values(metric=metrics.FORMAT.key, units=others, controls=(control,), ceiling=float(own.mean()))

    def _reused(
        self, network: Subject, where: Where, size: int, read: ReadScenes, own: KeptScenes | None
    ) -> tuple[Tensor, NormalisedScore]:
        """Read-outs of the attributes, one for each and shared by all objects, fitted on trained scenes.

        **Returns:** whether they name both attributes of the first object in held-out trained scenes, and the normalised score
        of the same in scenes where the pair of this object is new.
        """
        new = self._see(network, where, self.novel)
        k = size
        states = {"own": torch.cat([read.states, new.states[:, :1].expand(-1, k, -1)])}
        states["superposition"] = states["own"].clone()
        states["superposition"][len(read.states) :] = new.states.sum(1, keepdim=True)
        states["another scene's states"] = states["own"].clone()
        states["another scene's states"][len(read.states) :] = new.states.roll(1, 0)[:, :1]
        attributes = torch.cat([self.shown[size].attributes, self.novel.attributes[:, :1].expand(-1, k, -1)])
        hits = {name: self._named(each, attributes, len(read.states)) for name, each in states.items()}
        right, novel = hits["own"][: len(read.states)], hits["own"][len(read.states) :]
        nulls = {name: each[len(read.states) :] for name, each in hits.items() if name != "own"}
        ceiling = own.ceiling if own else float(right.mean())
        return right, normalised(novel, nulls, ceiling=ceiling)

    def _named(self, states: Float[Tensor, "n k d"], attributes: Int[Tensor, "n k a"], trained: int) -> Float[Tensor, " n"]:
        """Whether the read-outs name all attributes of the first object. For a trained scene they are fitted on other trained
        scenes; for a new scene on all trained ones."""
        n, k, d = states.shape
        hit = torch.ones(n, dtype=torch.bool)
        for a, values in enumerate(self.num_values):
            targets = one_hot(attributes[..., a], values)
            scenes = torch.arange(trained).repeat_interleave(k)
            said = left_out(states[:trained].reshape(-1, d), targets[:trained].reshape(-1, values), scenes).view(trained, k, -1)
            hit[:trained] &= said[:, 0].argmax(1) == attributes[:trained, 0, a]
            if n > trained:
                design = Design.of(states[:trained].reshape(1, 1, -1, d).float())
                probe = design.fit(targets[:trained].reshape(1, 1, -1, values), group=values).probe()
                hit[trained:] &= probe(states[trained:, 0].float())[0].argmax(1) == attributes[trained:, 0, a]
        return hit.float()


def _matched(segments: Int[Tensor, "n rows columns"], scenes: ObjectScenes, num: int) -> Int[Tensor, "n k"]:
    """One-to-one matching of objects to segments with the largest total overlap; objects in excess get no segment of
    their own."""
    from scipy.optimize import linear_sum_assignment

    k = scenes.attributes.shape[1]
    counts = torch.zeros(len(segments), k, max(num, k))
    found = contingency(segments, scenes.objects)[:, 1:].float()
    union = found.sum(2, keepdim=True) + contingency(segments, scenes.objects).float().sum(1, keepdim=True) - found
    counts[:, : found.shape[1], : found.shape[2]] = found / union.clamp(min=1)
    matched = [linear_sum_assignment(one, maximize=True)[1].tolist() for one in counts.numpy()]
    chosen = torch.tensor(matched, dtype=torch.int64)
    return chosen.view(len(segments), k).clamp(max=num - 1)
