"""Text and figures of the report of langue: the ladder of bits, alignments, the curve over layers, the map of words."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from assay.display import number
from assay.evidence import UNTRAINED, Measure
from assay.figure import Curve, DetailTable, Figure, Line, Plot, Point, Scatter
from assay.instrument import Notes, Readings
from assay.instruments.langue import bits
from assay.instruments.langue.matrix import between
from assay.instruments.langue.metrics import APART, IMITATOR, NEAR, tensor
from assay.instruments.langue.systems import COUNTS
from assay.relations import unit_vectors
from assay.stats import mean_interval
from assay.text import ladder, prequential_ngrams, with_parameters

MAPPED = 32
"""Words of the map: as many as can be labelled."""
IMITATES = 0.05
"""Share of the variance of word surprisal: a network that leaves no more unexplained imitates counts."""


def notes(data: Any, readings: Readings, measures: Sequence[Measure]) -> Notes:
    """Summary, warnings, untested points and figures."""
    kept = readings.own.kept
    found = {(m.key, *m.about.values()): m for m in measures if m.value is not None}
    figures: list[Figure] = [
        _curve(kept, readings, measures),
        _alignments(kept),
        between(data, kept),
        *kept.tables,
        _map(kept, data),
    ]
    warnings, not_tested = [], list(data.systems.left_out)
    if kept.read is not None:
        figures.insert(0, _ladder(data, kept.read))
        if data.scorer.pseudo:
            warnings.append("The network predicts masked tokens: its bits are pseudo-bits and cannot be compared with n-grams.")
    else:
        not_tested.append(f"Bits: {kept.why or data.why}")
    if kept.matched is None:
        not_tested.append("Whether words match without labels, which needs effort standard or full.")
    elif kept.matched.outcome in ("solver failed", "below power"):
        reason = {
            "solver failed": "the true map has a higher objective than the one that the solver found",
            "below power": "another map fits as well as the true one, so that this many words do not identify each other",
        }[kept.matched.outcome]
        not_tested.append(f"Whether words match without labels. The attempt decides nothing here: {reason}.")
    not_tested.append(
        "Whether the network has met the held-out text in other training, which is excluded only for a network trained on this "
        "text alone."
    )
    settings = {
        "excerpts": len(data.excerpts),
        "words": len(data.vocabulary),
        "contexts": len(data.graphs),
        "n-gram order": data.excerpts.best,
        "layers read": ", ".join(kept.layers),
        "before every text": data.scorer.prefix if data.scorer is not None else None,
    }
    texts = [excerpt.text for excerpt in data.excerpts.excerpts]
    inputs = {"excerpt": dict(enumerate(texts)), "word": dict(enumerate(data.vocabulary.words))}
    return Notes(_sentence(found, kept), warnings, not_tested, figures, settings, inputs)


def _sentence(found: dict, kept: Any) -> str:
    parts = []
    bits, saved, gain, left = (next((m for key, m in found.items() if key[0] == name), None) for name in _NAMED)
    if bits is not None and saved is not None and saved.interval is not None:
        which = "fewer" if saved.value > 0 else "more"
        clear = "" if saved.interval.low > 0 or saved.interval.high < 0 else ", which is within chance"
        if saved.interval.low > 0:
            clear = "".join(f", as {name} do" for name in _not_beaten(saved) if name == UNTRAINED)
        rate = f"{number(bits.value)} bits per byte"
        parts.append(f"held-out text takes {rate}, {number(abs(saved.value))} {which} than under the best n-gram{clear}")
    elif bits is not None:
        parts.append(f"held-out text takes {number(bits.value)} {'pseudo-bits' if bits.note else 'bits'} per byte")
    if gain is not None and gain.interval is not None:
        as_much = " and ".join(_not_beaten(gain))
        known = "saves further bits" + (f", but no more than {as_much} would" if as_much else "")
        parts.append(
            "added to a mixture of n-grams, the network "
            f"{known if gain.interval.low > 0 else 'saves no further bits beyond chance'}"
        )
    if left is not None and left.interval is not None:
        variance = f"{number(100 * left.value)} % of the variance of the network's word surprisal"
        share = f"frequency, n-gram and context leave {variance} unexplained"
        parts.append(share + (", so that it imitates them" if left.interval.high <= IMITATES else ""))
    near = kept.aligned[COUNTS].best
    agree = "more than words of like frequency would" if near.p <= 0.05 else "no more than words of like frequency would"
    agree += f" ({number(near.mean)})" + _beside_copies(found, more=near.p <= 0.05)
    parts.append(f"the network's words share {number(near.value)} of their neighbours with counts of the text, {agree}")
    return " ".join(f"{part[:1].upper()}{part[1:]}." for part in parts)


def _not_beaten(measure: Measure) -> list[str]:
    """Names of the nulls that the measure does not exceed significantly."""
    names = [null.name for null in measure.nulls if null.counts and null.p is not None and null.p > 0.05]
    return ["an n-gram of half the text" if name == IMITATOR else name for name in names]


def _beside_copies(found: dict, *, more: bool) -> str:
    """The clause on untrained copies, the stronger null where their inputs tell words apart."""
    counts = next((m for m in found.values() if m.key == NEAR.key and m.about["system"] == COUNTS), None)
    if counts is None:
        return ""
    copies = next((null for null in counts.nulls if null.name == UNTRAINED), None)
    if copies is None or copies.p is None:
        return ""
    above = copies.p <= 0.05 and counts.value > copies.mean
    but = {(True, True): " and more than", (True, False): ", but no more than", (False, True): ", but more than"}
    return f"{but.get((more, above), ' and no more than')} its untrained copies do ({number(copies.mean)})"


MOST_PRIMED = 1_000_000
_NAMED = ("bits", "saved", "gain", "left")


def _ladder(data: Any, read: Any) -> DetailTable:
    excerpts = data.excerpts
    train = sorted(data.corpus.train)
    # A cell that does not apply is an empty string; None would mean a value that could not be measured.
    rows: list[tuple] = [("the network", float(read.bits.mean()), "")]
    rows += [(f"n-grams, order {k}", float(bits), "") for k, bits in enumerate(excerpts.order_bits().mean(1))]
    # The n-grams of the ladder already have rows, on the same excerpts.
    rows += [
        (f"{rung.name}{', primed' if rung.primed else ''}", rung.bits, "excerpts joined")
        for rung in ladder(train, [one.text for one in excerpts.excerpts], order=0, most=MOST_PRIMED)
        if not rung.name.startswith("order")
    ]
    learned = train
    if data.online is not None:
        learned = ["\n".join(train).encode()[: data.online.num_bytes].decode(errors="ignore")]
        what = f"{data.online.num_bytes:,} bytes of training text, coded while they are learned"
        rows.append(("an untrained copy, prequential", data.online.bits, what))
    online = prequential_ngrams(learned, order=4, blocks=6)
    size = sum(len(text.encode()) for text in learned)
    rows.append(
        ("n-grams, order 4, prequential", float(online[-1]), f"{size:,} bytes of training text, coded while they are learned")
    )
    size = data.corpus.num_bytes
    weights = with_parameters(float(read.bits.mean()), size, data.weights)
    rows.append(("the network and its weights", weights, f"16 bits a weight over {size:,} bytes held out"))
    rows += [(f"the network: {name}", float((read.bits + cost).mean()), "shuffled") for name, cost in read.costs.items()]
    note = (
        "Bits per byte of held-out text. A shuffle that costs little destroys nothing that the network uses. Compressors are "
        f"primed with the last {MOST_PRIMED:,} characters of the training text, where it is longer. Left after: the share of "
        "the variance of the network's word surprisal that frequency, the surprisal under the best n-gram and the similarity "
        "to the words before leave unexplained, out of fold (published for averages over contexts: 2 %, Chang et al. 2025). "
        "Given by: the share of the network's likeliest tokens that an n-gram rule gives too (published for the best rule: "
        "79 % on stories, 68 % on Wikipedia, Nguyen 2024)."
    )
    table = [(what, bits, "", of) for what, bits, of in rows] + _left(data, read)
    columns = ("what", "bits per byte", "share", "of")
    return DetailTable(name="Ladder of bits", columns=columns, rows=tuple(table), note=note, level=2)


def _left(data: Any, read: Any) -> list[tuple]:
    """Rows of the ladder: variance of word surprisal unexplained by counts, and agreement with n-gram rules."""
    rows: list[tuple] = []
    for taken, own, other in (
        zip(bits.STEPS, read.beside_counts.left, data.imitated.left, strict=True) if not data.excerpts.few else ()
    ):
        value, _, interval = bits.share_left(own)
        imitated = number(bits.share_left(other)[0])
        of = f"variance, {number(interval.low)} to {number(interval.high)}; of an n-gram in its place {imitated}"
        rows.append((f"left after {taken}", "", value, of))
    for k, rule in enumerate(("the longest known context", "any context")):
        interval = mean_interval(tensor(read.rules[:, k]))
        ends = f"{number(interval.low)} to {number(interval.high)}; " if interval is not None else ""
        followed = number(float(read.followed[:, k].mean()))
        of = f"likeliest tokens, {ends}of the tokens of the text itself {followed}"
        rows.append((f"given by {rule}", "", float(read.rules[:, k].mean()), of))
    return rows


def _alignments(kept: Any) -> DetailTable:
    rows = tuple(
        (
            *("counts, other stems" if name == "apart" else name, one.layer, one.best.value, one.free.mean, one.free.p),
            *(one.best.mean, one.best.p, one.best.effect),
        )
        for name, one in (*kept.aligned.items(), *kept.nulls.items())
    )
    columns = ("system", "layer", "mutual neighbours", "free null", "p", "null of like frequency", "p, matched", "effect")
    note = (
        "Mutual neighbours: the largest share over layers (with another network, over pairs of layers). The nulls permute "
        "words freely, or within groups of like frequency (matched), and take the largest share over layers each time. "
        "Effect: 0 at the matched null, 1 for identity. Other stems: neighbours that share a word's stem are left out."
    )
    return DetailTable(name="Alignment with other systems", columns=columns, rows=rows, note=note, level=0)


def _curve(kept: Any, readings: Readings, measures: Sequence[Measure]) -> Curve:
    plots = []
    labels = {
        ("apart" if one.key == APART.key else one.about["system"], one.about["layer"]): one.label
        for one in measures
        if one.key in (NEAR.key, APART.key) and one.repeats
    }
    words = (f"{len(kept.vectors):,} words",) * len(kept.layers)
    for name, one in kept.aligned.items():
        lines = [
            Line(
                name="network",
                x=tuple(kept.layers),
                y=one.by_layer,
                marked=(one.best.layer,),
                units=words,
                leads_to=tuple(labels.get((name, layer), "") for layer in kept.layers),
            ),
            Line(name="words of like frequency", x=tuple(kept.layers), y=one.matched, null=True, style="dotted"),
        ]
        lines += list(_copies(name, kept, readings))
        plots.append(Plot(title="counts, other stems" if name == "apart" else name, lines=tuple(lines)))
    caption = "Share of the ten nearest neighbours of a word that the network and the system named above have in common."
    return Curve(name="Mutual neighbours by layer", across="layer", plots=tuple(plots), caption=caption, level=0)


def _copies(name: str, kept: Any, readings: Readings) -> Iterator[Line]:
    for copy in readings.copies:
        if copy.kept and name in copy.kept and len(copy.kept[name].by_layer) == len(kept.layers):
            yield Line(name="untrained copies", x=tuple(kept.layers), y=copy.kept[name].by_layer, null=True)


def _map(kept: Any, data: Any) -> Scatter:
    """The most frequent words in the plane of the first two principal components."""
    unit = unit_vectors(kept.vectors)
    left, values, _ = np.linalg.svd(unit, full_matrices=False)
    plane = left[:, :2] * values[:2]
    plane = plane * np.where(
        plane[np.abs(plane).argmax(0), np.arange(plane.shape[1])] < 0, -1, 1
    )  # fix the sign, which is arbitrary
    shown = range(min(MAPPED, len(unit)))
    matched = kept.matched.found if kept.matched is not None else None
    points = tuple(
        Point(
            name=data.vocabulary.words[k],
            x=float(plane[k, 0]),
            y=float(plane[k, 1]),
            note="" if matched is None or matched[k] == k else data.vocabulary.words[matched[k]],
        )
        for k in shown
    )
    caption = "The most frequent words by the two largest components of their states."
    if matched is not None:
        caption += " Where the match without labels was wrong, the word that it gave is noted beside the right one."
    return Scatter(name="Map of words", points=points, caption=caption, level=0)
