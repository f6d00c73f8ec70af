"""A Hugging Face folder is given texts: its own tokenizer reads them, and an audit of what is only read can run."""

import shutil
from pathlib import Path

import pytest
import torch

from assay.audit import audit
from assay.errors import AssayError
from assay.models.hugging_face import load_hugging_face
from assay.subject import Subject
from assay.tasks import load_task
from assay.tasks.treebank import Treebank, as_bytes

TEXTS = ["the key to the cabinets", "é !", "dogs bark at the very old man who lives next door"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained BERT with a tokenizer of its own."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("bert")
    words = dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *" ".join(TEXTS[::2]).split()])
    (path / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.BertModel(transformers.BertConfig(vocab_size=len(words), **SIZES))
    model.save_pretrained(path)
    transformers.BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    return path


def test_texts_are_read_by_the_folders_tokenizer(folder: Path):
    import transformers

    found = load_hugging_face(folder, task=None).with_output("last_hidden_state")({"text": as_bytes(TEXTS)})
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    for row, text in zip(found, TEXTS, strict=True):
        with torch.no_grad():
            alone = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert torch.allclose(row[: len(alone)], alone, atol=1e-5), "padding is masked"


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_decoder_answers_at_the_last_word_whatever_side_its_tokenizer_pads(folder: Path, tmp_path: Path, side: str):
    import transformers

    tokenizer = transformers.BertTokenizerFast(str(folder / "vocab.txt"), padding_side=side)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.GPT2Config(vocab_size=len(tokenizer), n_embd=16, n_layer=2, n_head=2, n_positions=32)
        model = transformers.GPT2LMHeadModel(config).eval()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    found = load_hugging_face(tmp_path, task=load_task("modular"))({"text": as_bytes(TEXTS)})
    for row, text in zip(found, TEXTS, strict=True):
        with torch.no_grad():
            alone = model(tokenizer(text, return_tensors="pt").input_ids).logits[0, -1]
        torch.testing.assert_close(row, alone)


def test_a_folder_without_tokenizer_is_told(folder: Path, tmp_path: Path):
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(folder / name, bare / name)
    with pytest.raises(AssayError, match="needs the tokenizer in the folder of the weights"):
        load_hugging_face(bare, task=None)({"text": as_bytes(TEXTS)})


def test_what_needs_behaviour_is_skipped_with_the_reason(folder: Path, tmp_path: Path):
    rows = [f"1\tkey\t_\tNOUN\t_\t_\t2\tr{k % 2}\t_\t_\n2\tw{k}\t_\tVERB\t_\t_\t0\troot\t_\t_\n" for k in range(9)]
    bank = tmp_path / "own.conllu"
    bank.write_text("\n".join(rows), encoding="utf-8")
    task = Treebank(file=bank)
    subject = load_hugging_face(folder, task=task)
    assert isinstance(subject, Subject)
    done = audit(subject, task, effort="quick")
    reasons = {skipped.instrument: skipped.reason for skipped in done.skipped}
    asked_nothing = {name for name, reason in reasons.items() if "does not score the network's output" in reason}
    assert asked_nothing >= {"systematicity", "recombination", "decodability"}
    assert asked_nothing.isdisjoint({"polar"})
    assert done.verdict.novel.answer == "not resolved"
    assert done.integrity.outputs_identical
