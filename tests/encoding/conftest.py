"""A tiny model of transformers with a tokenizer of its own, in a folder, and texts for it."""

from pathlib import Path

import pytest
import torch

from assay.graph import Graph, tree

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "##s", "saw", "dog", "a", "run", "##ning", "."]


def save_model(folder: Path, *, seed: int = 0, pieces: list[str] = PIECES) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocab = {piece: k for k, piece in enumerate(pieces)}
    inner = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer()
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocab),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=12,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    with torch.random.fork_rng():
        return save_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def graphs() -> list[Graph]:
    return [
        tree(["the", "cats", "saw", "a", "dog"], [1, 2, -1, 4, 2], relation=["det", "nsubj", "root", "det", "obj"]),
        tree(["run"], [-1], relation=["root"], sentence_id="one"),
        tree(["the", "dog", "running", "."], [1, 2, -1, 2], relation=["det", "nsubj", "root", "punct"]),
    ]
