"""Weights on the disk give the states of weights in memory; what is missing for that is told."""

import pytest
import torch

from assay.encoding import HuggingFaceEncoder, encode
from assay.encoding import placement as placed
from assay.encoding.placement import all_weights, memory_size, placement, weights_size
from assay.errors import AssayError


def test_a_model_streamed_from_the_disk_gives_the_same_states(folder, graphs, tmp_path):
    pytest.importorskip("accelerate", reason="streams weights; in the extra `stream`")
    plain = HuggingFaceEncoder.load(folder)
    streamed = HuggingFaceEncoder.load(folder, max_memory={"cpu": 5_000})
    on_disk = [name for name, weight in streamed.module.named_parameters() if weight.device.type == "meta"]
    assert any("layer.1" in name for name in on_disk)
    assert weights_size(folder) > 5_000
    whole, parts = encode(plain, graphs, folder=tmp_path), encode(streamed, graphs)
    assert torch.equal(whole.states, parts.states)
    # One network, so that either reads what the other kept.
    assert streamed.identity == plain.identity
    assert torch.equal(encode(streamed, graphs, folder=tmp_path).states, whole.states)
    for (name, weight), (other, same) in zip(all_weights(plain.module), all_weights(streamed.module), strict=True):
        assert name == other
        assert torch.equal(weight, same)


def test_without_accelerate_what_must_be_streamed_is_refused(folder, monkeypatch):
    monkeypatch.setattr(placed, "has_accelerate", lambda: False)
    with pytest.raises(AssayError, match=r"needs accelerate.*max_memory \{'cpu': '1MB'\}.*pip install assay\[stream\]"):
        HuggingFaceEncoder.load(folder, max_memory={"cpu": "1MB"})
    monkeypatch.setattr(placed, "memory_size", lambda: 1_000)
    with pytest.raises(AssayError, match=r"bytes of weights, 1,000 bytes of memory"):
        HuggingFaceEncoder.load(folder)


def test_weights_that_fit_are_simply_loaded(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert placement(folder, None) == {}
    assert weights_size(tmp_path) == 0
    assert memory_size() > 2**28
    monkeypatch.setattr(placed, "has_accelerate", lambda: True)
    monkeypatch.setattr(placed, "memory_size", lambda: 1_000)
    assert placement(folder, None) == {"device_map": "auto"}
    assert placement(folder, {"cpu": "2GiB"}) == {"device_map": "auto", "max_memory": {"cpu": "2GiB"}}
