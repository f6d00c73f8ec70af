"""Models of the Hugging Face hub by their names. No hub is asked: where one is needed, it is out of reach."""

from pathlib import Path

import pytest
import torch

from assay.errors import AssayError
from assay.models import load_subject
from assay.models.hub import WANTED, fetched, is_hub_name


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """A hub that has one model; what it was asked for."""
    import huggingface_hub
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"vocab_size": 13, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertForSequenceClassification(BertConfig(**sizes, num_labels=5)).save_pretrained(tmp_path / "0a1b2c")
    asked: list[dict] = []

    def snapshot_download(name: str, **options: object) -> str:
        asked.append({"name": name, **options})
        return str(tmp_path / "0a1b2c")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


def test_a_model_is_fetched_by_its_name_without_code(hub: list[dict]):
    subject = load_subject("hf://owner/name@v1.0")
    assert subject.name == "owner/name@v1.0"
    assert subject({"input_ids": torch.tensor([[1, 2]])}).shape == (1, 5)
    assert hub == [{"name": "owner/name", "revision": "v1.0", "allow_patterns": list(WANTED)}]
    assert not any(pattern.endswith((".py", ".bin", ".pt")) for pattern in WANTED)


@pytest.mark.parametrize("address", ["hf://", "hf://a/b/c", "hf://a/b@", "hf://a b/c", "hf:///b"])
def test_what_is_no_name_is_refused_before_anything_is_asked(address: str, hub: list[dict]):
    assert is_hub_name(address)
    with pytest.raises(AssayError, match="written hf://owner/name"):
        load_subject(address)
    assert hub == []


def test_a_hub_out_of_reach_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    def refused(*_: object, **__: object) -> str:
        raise OSError("[Errno 111] Connection refused\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refused)
    with pytest.raises(AssayError, match=r"OSError: \[Errno 111\] Connection refused\. Next: .*give the folder"):
        fetched("hf://owner/name")
