"""Labelled attachment with and without an angle loss, on trees whose relations lie in the states apart from their distances."""

import pytest
import torch
from labels import PROBES, Texts, judged, rate, table, usual_relations
from torch import Generator

from assay.graph import tree
from assay.instrument.frame import Random
from assay.instruments.polar.fit import Fitting, Probes
from assay.instruments.polar.targets import Sample, Target

NODES, RELATIONS = 6, ("a", "b", "c")
FITTING = Fitting(rank=12, epochs=20, learning_rate=1e-2)


def planted(num, seed):
    """Random trees, whose nodes are sums of one direction for each edge above them, so that distances are those of the tree;
    in further dimensions the node's own relation to its head. Relations do not depend on the tree."""
    rng = Generator().manual_seed(seed)
    states, targets = [], []
    for _ in range(num):
        order = torch.randperm(NODES, generator=rng).tolist()
        head, vectors = [-1] * NODES, torch.zeros(NODES, NODES + len(RELATIONS))
        relation = torch.randint(len(RELATIONS), (NODES,), generator=rng).tolist()
        for k, node in enumerate(order[1:], 1):
            head[node] = order[int(torch.randint(k, (1,), generator=rng))]
            vectors[node, :NODES] = vectors[head[node], :NODES]
            vectors[node, node] = 1.0
            vectors[node, NODES + relation[node]] = 1.0
        names = [RELATIONS[k] if head[node] >= 0 else "root" for node, k in enumerate(relation)]
        targets.append(Target.of(tree(["word"] * NODES, head, relation=names), RELATIONS))
        states.append(vectors)
    return Sample(torch.cat(states)[None], NODES * torch.arange(num + 1), tuple(targets), RELATIONS)


@pytest.fixture(scope="module")
def found():
    """Of every probe at its first setting the rates on other texts."""
    train, test = planted(200, 0), planted(100, 1)
    fits = (
        (name, fit(train, settings[0], Generator().manual_seed(0), fitting=FITTING)) for name, (fit, settings) in PROBES.items()
    )
    return {name: fit(test)[0] for name, fit in fits}


def test_the_angle_loss_labels_what_a_distance_alone_does_not(found):
    """All find heads: the root is the zero vector, and distances are those of the tree. A third of relations are guessed."""
    assert all(rate(one, "UAS") > 0.95 for one in found.values())
    assert rate(found["polar"]) > 0.75
    assert rate(found["distance"]) < 0.45
    assert rate(found["distance, depth"]) < 0.45
    assert rate(found["distance, classifier"]) > 0.95
    assert rate(found["polar"], "edge by edge") > rate(found["distance"], "edge by edge") + 0.2


def test_probes_have_equal_numbers():
    """The columns of the maps are divided, not added to."""
    sample, sizes = planted(20, 0), {}
    for name, (fit, settings) in PROBES.items():
        read = fit(sample, settings[0], Generator().manual_seed(0), fitting=Fitting(rank=8, epochs=1))
        held = [*getattr(read, "args", ()), *(cell.cell_contents for cell in getattr(read, "__closure__", None) or ())]
        probes = [one for one in held if isinstance(one, Probes)]
        sizes[name] = sum(one.maps.numel() + (0 if one.labels is None else one.labels.numel()) for one in probes)
    assert set(sizes.values()) == {8 * (NODES + len(RELATIONS))}


def test_relations_without_a_probe_are_those_of_words_so_far_apart():
    one = tree(["w"] * 3, [1, -1, 1], relation=["a", "root", "b"])
    other = tree(["w"] * 3, [1, -1, 1], relation=["c", "root", "b"])
    targets = tuple(Target.of(graph, RELATIONS) for graph in (one, one, other))
    usual = usual_relations(Sample(torch.zeros(1, 9, 2), 3 * torch.arange(4), targets, RELATIONS))
    assert usual[4].item() == 0  # heads one place behind the dependent
    assert usual[2].item() == 1  # and one before it


def test_layer_and_setting_are_those_of_dev_texts_and_differences_are_paired():
    """Of two layers, the first of noise, the second is chosen; the difference is that of the rates."""
    noise = torch.randn(1, 100 * NODES, NODES + len(RELATIONS), generator=Generator().manual_seed(0))

    def layered(num, seed):
        sample = planted(num, seed)
        return sample.with_states(torch.cat([noise[:, : num * NODES], sample.states]))

    texts = Texts(layered(100, 0), layered(30, 1), layered(50, 2))
    options = {"fitting": FITTING, "fits": 2, "rng": Random(0, "test")}
    own, other = (judged(name, texts, **options) for name in ("polar", "distance"))
    assert own.layer == other.layer == 1
    assert own.units["LAS"].shape == (2, 50)
    (_, line) = table({"polar": own, "distance": other}, ("noise", "planted"), "here")
    gap = float((own.units["LAS"] - other.units["LAS"]).mean())
    assert f"| {gap:.3f} [" in line
    assert gap > 0.2
