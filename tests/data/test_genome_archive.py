"""Genomes of an archive of JSON: drawn as its engine draws them, and everything that such a file may hold instead."""

import copy
import gzip
import json
import math

import numpy as np
import pytest
import torch

from assay.data.genome_archive import FORMAT, genome_at, genome_of, read_archive
from assay.errors import AssayError
from assay.models.cppn import coordinates
from assay.models.evolved import dense, draw_graph, graph_values

ACTS = {
    "identity": lambda z: z,
    "sigmoid": lambda z: 2 / (1 + math.exp(-z)) - 1,
    "gaussian": lambda z: 2 * math.exp(-z * z) - 1,
    "cos": math.cos,
    "sin": math.sin,
    "tanh": math.tanh,
}
ONE = {
    "nodes": [
        {"key": -1, "activation": None, "affinity": "grey", "input": True},
        {"key": 0, "activation": "sin", "affinity": "color", "input": False},
        {"key": 1, "activation": "sigmoid", "affinity": "color", "input": False},
        {"key": 2, "activation": "cos", "affinity": "grey", "input": False},
        {"key": 3, "activation": "gaussian", "affinity": "grey", "input": False},
        {"key": 4, "activation": "cos", "affinity": "grey", "input": False},
    ],
    "connections": [
        {"from": -1, "to": 3, "weight": 1.25, "enabled": True},
        {"from": -3, "to": 3, "weight": -2.0, "enabled": True},
        {"from": -2, "to": 2, "weight": 0.5, "enabled": True},
        {"from": 3, "to": 2, "weight": 1.5, "enabled": True},
        {"from": -4, "to": 2, "weight": 0.3, "enabled": True},
        {"from": 2, "to": 0, "weight": 2.0, "enabled": True},
        {"from": 2, "to": 1, "weight": -1.0, "enabled": True},
        {"from": -1, "to": 1, "weight": 3.0, "enabled": False},
    ],
}


def _by_their_rules(given: dict, x: float, y: float) -> list[float]:
    """Hue, saturation and brightness at a place, node by node: one without a source is never computed, nor what needs it."""
    before, after = given.get("inAct", ["identity"] * 4), given.get("outAct", ["identity"] * 3)
    places = (x, y, math.hypot(x, y) * 2**0.5, 1.0)
    values = {-1 - k: ACTS[kind](one) for k, (kind, one) in enumerate(zip(before, places, strict=True))}
    kinds = {node["key"]: node["activation"] for node in given["nodes"]}
    links = [link for link in given["connections"] if link["enabled"]]
    for _ in kinds:
        for key, kind in kinds.items():
            own = [link for link in links if link["to"] == key]
            if key not in values and own and all(link["from"] in values for link in own):
                values[key] = ACTS[kind](sum(link["weight"] * values[link["from"]] for link in own))
    return [ACTS[kind](values.get(k, 0.0)) for k, kind in enumerate(after)]


def _changed(**changes) -> dict:
    return copy.deepcopy(ONE) | changes


def _link(**changes) -> dict:
    found = copy.deepcopy(ONE)
    found["connections"].append({"from": -1, "to": 4, "weight": 1.0, "enabled": True} | changes)
    return found


@pytest.mark.parametrize(
    "given",
    [
        ONE,
        _changed(inAct=["sin", "gaussian", "cos", "identity"]),
        _changed(outAct=["cos", "sigmoid", "gaussian"], format=FORMAT),
        _link(**{"from": 4, "to": 1}),  # 4 has no source, so that 1 is never computed
        _link(**{"from": 4, "to": 2}),  # nor is any output
        _changed(connections=ONE["connections"][:5], outAct=["cos", "gaussian", "sin"]),
        _changed(nodes=ONE["nodes"][3:5], connections=ONE["connections"][:5]),  # without hue and saturation
    ],
)
def test_it_is_drawn_as_their_engine_draws(given):
    genome = genome_of(given, "one")
    x = coordinates(5)
    values = graph_values(genome, x)
    for row, place in enumerate(x.tolist()):
        found = [float(values[genome.outputs[name]][row]) for name in ("hue", "saturation", "brightness")]
        np.testing.assert_allclose(found, _by_their_rules(given, *place[:2]), atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(dense(genome).double()(x), draw_graph(genome, x), atol=1e-6, rtol=0)
    grey = draw_graph(genome_of(given, "one", grey=True), x)
    assert torch.equal(grey[:, 0], grey[:, 2])
    torch.testing.assert_close(grey[:, 0], values[genome.outputs["brightness"]].abs().clamp(max=1))


def test_a_run_and_one_genome_are_read_from_their_files(tmp_path):
    (tmp_path / "apple.json").write_text(json.dumps(ONE))
    run = {"img_1": ONE, "img_2": _changed(outAct=["sin"] * 3)}
    (tmp_path / "genomes.json.gz").write_bytes(gzip.compress(json.dumps(run).encode()))
    found = read_archive(tmp_path / "genomes.json.gz")
    assert list(found) == ["img_1", "img_2"]
    assert read_archive(tmp_path / "apple.json") == {"apple": found["img_1"]}
    (tmp_path / "none.json").write_text("{}")
    assert read_archive(tmp_path / "none.json") == {}
    assert genome_at(f"{tmp_path}/genomes.json.gz#img_2") == found["img_2"]
    assert genome_at(f"{tmp_path}/apple.json") == found["img_1"]
    for name, given in (("", "no name"), ("#rose", "rose")):
        with pytest.raises(AssayError, match=f"must name one of its genomes.*{given}.*img_1"):
            genome_at(f"{tmp_path}/genomes.json.gz{name}")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (_changed(format="other/2"), "format of one must be known.*other/2"),
        (_changed(nodes=[]), "list of 1 to 4,096.*0"),
        (_changed(nodes="x"), "must be a list.*str"),
        (_changed(nodes=[3]), "must be a table.*int"),
        (_changed(nodes=[*ONE["nodes"], {"key": 3, "activation": "sin"}]), "keys that differ.*3"),
        (_changed(nodes=[*ONE["nodes"], {"key": 9, "activation": "softmax"}]), "activation of node 9 .*softmax"),
        (_changed(nodes=[*ONE["nodes"], {"key": -5, "activation": "sin"}]), "whole number from -4"),
        (_changed(nodes=[*ONE["nodes"], {"key": True, "activation": "sin"}]), "whole number from -4"),
        (_changed(nodes=[*ONE["nodes"], {"key": 9, "activation": ["sin"]}]), "must be a known one"),
        (_link(to=77), "two nodes of the genome.*77"),
        (_link(to=-2), "into an input.*y"),
        (_link(to=3), "pairs of nodes that differ.*-1 to 3"),
        (_link(weight="1"), "finite number"),
        (_link(weight=1e9), "at most a million"),
        (_link(weight=True), "finite number"),
        (_link(enabled=1), "true or false"),
        (_link(**{"from": 2, "to": 3}), "free of cycles"),
        (_link(**{"from": 3, "to": 3}), "free of cycles"),
        (_changed(inAct=["sin"]), "list of 4 activations"),
        (_changed(outAct=["sin", "sin", "relu"]), "outAct of one must be a known one.*relu"),
    ],
)
def test_what_is_no_genome_of_theirs_is_refused(given, message):
    with pytest.raises(AssayError, match=message):
        genome_of(given, "one")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "whole JSON"),
        (b"[]", "must be a table"),
        (b'{"a": 3}', "must be a table.*int"),
        (b'{"a": NaN}', "whole JSON"),
        (b"\x80\x04\x95", "whole JSON"),  # a pickle is not opened
        (b"\x1f\x8b\x08", "whole gzip"),
        (gzip.compress(b"{}", mtime=0)[:-9], "whole gzip"),
    ],
)
def test_files_that_hold_something_else_are_refused(tmp_path, content, message):
    (tmp_path / "genomes.json.gz").write_bytes(content)
    with pytest.raises(AssayError, match=message):
        read_archive(tmp_path / "genomes.json.gz")


def test_what_unpacks_to_more_than_is_allowed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("assay.data.genome_archive.MOST_JSON", 1_000)
    (tmp_path / "genomes.json.gz").write_bytes(gzip.compress(b" " * 2_000, mtime=0))
    with pytest.raises(AssayError, match="at most 1,000 bytes"):
        read_archive(tmp_path / "genomes.json.gz")
