"""Tables of the evidence: conventions, the plane of relations, and sentences to draw."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from assay.evidence import Table
from assay.graph import Graph, coarse
from assay.instruments.polar.curves import or_none
from assay.instruments.polar.decode import decode
from assay.instruments.polar.fit import Probes
from assay.instruments.polar.measures import LEVEL
from assay.instruments.polar.scores import Scored
from assay.instruments.polar.targets import Batch, Sample

PLANE, DRAWN, CONVENTIONS = "Plane of relations", "Sentences", "Conventions"


def conventions(rows: Sequence[tuple[str, Scored, Scored]], *, dsprs: Mapping[str, float]) -> Table:
    """Every probe with punctuation and without, over all edges and as the mean over texts.

    **Arguments:** `rows`: probe and decoding, scored with punctuation and without; `dsprs`: of the rows that have one.
    """
    found = []
    for name, inside, outside in rows:
        for scored, punctuation in ((inside, "included"), (outside, "excluded")):
            for averaged, take in (("all edges", Scored.micro), ("mean over texts", Scored.macro)):
                rates = (take(scored, "UUAS"), take(scored, "UAS"), take(scored, "LAS"), take(scored, "type accuracy"))
                micro = averaged == "all edges"
                balanced, root = (scored.balanced(), or_none(scored.root_accuracy())) if micro else (None, None)
                found.append(
                    (
                        name,
                        punctuation,
                        averaged,
                        *rates,
                        balanced,
                        root,
                        or_none(dsprs[name]) if micro and name in dsprs else None,
                    )
                )
    return Table(
        name=CONVENTIONS,
        columns=(
            "probe, decoding",
            "punctuation",
            "average",
            "UUAS",
            "UAS",
            "LAS",
            "type accuracy",
            "balanced",
            "root",
            "DSpr",
        ),
        rows=tuple(found),
        note="Balanced: the mean over relations of type accuracy. The root's edge is no edge. DSpr is taken over all words.",
        level=LEVEL,
    )


def plane(probes: Probes, relations: Sequence[str], counts: Sequence[int], *, most: int = 16) -> Table:
    """The prototypes of the most frequent relations on the plane that holds most of them: unit vectors, seen from above."""
    chosen = list(range(min(most, len(relations))))
    unit = torch.nn.functional.normalize(probes.prototypes[0][chosen], dim=-1)
    flat = unit @ _plane_of(unit)
    rows = [(relations[k], int(counts[k]), float(x), float(y)) for k, (x, y) in zip(chosen, flat.tolist(), strict=True)]
    return Table(
        name=PLANE,
        columns=("relation", "edges", "x", "y"),
        rows=tuple(rows),
        note="Mean edges of training graphs, head minus dependent, at length 1, on the plane that holds most of their squared "
        "length: an arrow of length 1 lies in the plane, a short one points out of it.",
        level=LEVEL,
    )


def _plane_of(unit: Float[Tensor, "relations rank"]) -> Float[Tensor, "rank 2"]:
    directions = torch.linalg.svd(unit.double(), full_matrices=False).Vh[:2].mT.float()
    if directions.shape[1] < 2:
        directions = torch.cat([directions, torch.zeros(len(directions), 2 - directions.shape[1])], 1)
    # The sign of a singular vector is arbitrary: the largest entry is positive.
    return directions * directions.gather(0, directions.abs().argmax(0, keepdim=True)).sign()


def drawn(probes: Probes, sample: Sample, graphs: Sequence[Graph], *, num: int, longest: int = 16) -> Table:
    """A few test trees word by word, gold beside predicted as a legal tree: those of middling length, as they come."""
    chosen = [k for k, graph in enumerate(graphs) if 6 <= len(graph) <= longest and graph.is_tree][:num]
    rows = []
    for k in chosen:
        batch = Batch.of(sample, [k])
        predicted = decode(probes, sample, batch, how="legal", kept=batch.real).edges[0, 0]
        graph = graphs[k]
        for node, words in enumerate(graph.mentions):
            heads = predicted[:, node].nonzero().flatten().tolist()
            head = heads[0] if heads else -1
            relation = sample.relations[int(predicted[head, node]) - 1] if heads else "root"
            word = " ".join(graph.words[w] for w in words)
            rows.append(
                (graph.sentence_id or str(k), node, word, graph.head[node], coarse(graph.relation[node]), head, relation)
            )
    return Table(
        name=DRAWN,
        columns=("sentence", "word", "form", "gold head", "gold relation", "predicted head", "predicted relation"),
        rows=tuple(rows),
        note="Heads by their place, -1 for the root.",
        level=LEVEL,
    )
