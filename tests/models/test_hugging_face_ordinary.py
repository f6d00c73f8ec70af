"""Hugging Face models as people save them: decoders that classify without a padding token, positions that start late."""

from pathlib import Path

import pytest
import torch

from assay.audit import audit
from assay.conformance.tasks import small_task
from assay.encoding.hugging_face import HuggingFaceEncoder, num_positions
from assay.encoding.one_pass import encode
from assay.graph import tree
from assay.models import load_subject
from assay.tasks.treebank import as_bytes

transformers = pytest.importorskip("transformers")

DECODERS = [
    ("GPT2", {"n_positions": 16, "n_embd": 8, "n_layer": 1, "n_head": 2}),
    ("Llama", {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}),
]


def saved(folder: Path, architecture: str, **sizes) -> Path:
    """An untrained model with a tokenizer of words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    vocabulary = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4, "b": 5}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    padding = {"pad_token": "<pad>"} if "pad_token_id" in sizes else {"eos_token": "</s>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", **padding)
    tokenizer.save_pretrained(folder)
    kind = getattr(transformers, architecture)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind(kind.config_class(**sizes)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("family", "sizes"), DECODERS)
def test_a_decoder_without_padding_token_reads_the_class_off_the_last_token(family, sizes, tmp_path):
    sizes = {**sizes, "vocab_size": 40, "num_labels": 5, "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": None}
    name = f"{family}ForSequenceClassification"
    folder = saved(tmp_path, name, **{key: value for key, value in sizes.items() if key != "pad_token_id"})
    task = small_task()
    subject = load_subject(str(folder), task=task)
    inputs = task.examples("seen", 8, generator=torch.Generator().manual_seed(0)).inputs
    model = getattr(transformers, name).from_pretrained(folder).eval()
    with torch.no_grad():
        alone = torch.cat([model(input_ids=row[None]).logits for row in inputs["tokens"]])  # a batch of one needs no padding
    assert torch.allclose(subject(inputs), alone, atol=1e-5)
    texts = ["a b b a", "b", "a a"]
    with torch.no_grad():
        each = [model(input_ids=torch.tensor([[4 + "ab".index(word) for word in text.split()]])).logits for text in texts]
    assert torch.allclose(subject({"text": as_bytes(texts)}), torch.cat(each), atol=1e-5), "padding is no last token"
    assert subject.untrained(torch.Generator().manual_seed(0))(inputs).shape == (8, 5)
    assert audit(subject, task, effort="quick", instruments=[]).integrity.holds


SMALL = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 6}


@pytest.mark.parametrize(
    ("architecture", "reads"),
    [("RobertaModel", 12), ("XLMRobertaForMaskedLM", 12), ("MPNetModel", 12), ("BertModel", 14), ("DistilBertModel", 14)],
)
def test_a_model_reads_as_many_tokens_as_it_has_positions_and_refuses_longer_texts(architecture, reads, tmp_path):
    changed = {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 8, "vocab_size": 6} if "Distil" in architecture else SMALL
    folder = saved(tmp_path, architecture, **changed, max_position_embeddings=14, pad_token_id=1)
    encoder = HuggingFaceEncoder.of(load_subject(str(folder)))
    assert encoder.most_tokens == num_positions(encoder.module) == reads
    graphs = [
        tree(["a"] * num, [-1] + [0] * (num - 1), relation=["root"] + ["dep"] * (num - 1)) for num in (1, reads, reads + 1)
    ]
    told = encode(encoder, graphs)
    assert [refused.why for refused in told.refused] == [f"{reads + 1} tokens, and the model reads {reads}"]
    assert list(told.kept) == [0, 1]


def test_a_text_is_cut_to_what_the_model_reads(tmp_path):
    folder = saved(tmp_path, "RobertaForMaskedLM", **SMALL, max_position_embeddings=14, pad_token_id=1)
    subject = load_subject(str(folder))
    long, cut = (subject({"text": as_bytes([" ".join(["a", "b"] * half)])}) for half in (20, 6))
    assert torch.equal(long, cut)
