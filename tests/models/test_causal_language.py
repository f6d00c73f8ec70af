"""Causal language models of transformers, tiny and with random weights: answers to sources, and continued texts."""

import json

import pytest
import torch
from torch import Generator

from assay.computation.decoding import DecodesByStep, greedy
from assay.computation.predictions import load_predictions, save_predictions
from assay.computation.scratchpad import written
from assay.encoding.hugging_face import load_tokenizer
from assay.errors import AssayError
from assay.models import load_subject
from assay.models.causal_language import continue_texts
from assay.subject import Subject
from assay.tasks.algorithms import non_adjacent_values
from assay.tasks.non_adjacent_sum import NonAdjacentSum

transformers = pytest.importorskip("transformers")
TASK = NonAdjacentSum(n=3, high=3, shortest=2, longer=1, train=100, novel=200)
WORDS = ["</s>", "<unk>", "=", "\n", "a1", "a2", "a3", "d1", "d2", "d3", *map(str, range(-9, 10))]
CONFIGS = {
    "gpt2": lambda sizes: transformers.GPT2Config(
        n_embd=16, n_layer=2, n_head=2, n_positions=sizes["positions"], **sizes["ids"]
    ),
    "llama": lambda sizes: transformers.LlamaConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=sizes["positions"], **sizes["ids"],
    ),
}  # fmt: skip


def folder_of(tmp_path, kind, *, positions=40, vocab=29, seed=0):
    """A folder with a random model, which answers with more than one token, and a tokenizer of words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    ids = {"vocab_size": vocab, "bos_token_id": 0, "eos_token_id": 0}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = CONFIGS[kind]({"positions": positions, "ids": ids})
        config.initializer_range = 0.7  # so that it answers with several tokens
        model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(tmp_path)
    tokenizer = Tokenizer(models.WordLevel({word: k for k, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", CONFIGS)
def test_steps_with_a_cache_are_passes_over_the_whole(tmp_path, kind):
    subject = load_subject(str(folder_of(tmp_path, kind)), task=TASK)
    assert isinstance(subject.module, DecodesByStep)
    for split in ("seen", "novel"):  # sources with and without padding
        examples = TASK.examples(split, 25, generator=Generator().manual_seed(0))
        logits = subject(examples.inputs)
        assert TASK.score(logits, examples).shape == (25,)
        read = subject.module.begin(examples.inputs["source"])
        for place in range(logits.shape[1]):
            tokens = examples.inputs["prefix"][:, place]
            with torch.no_grad():
                found = subject.module.step(tokens, read)
            torch.testing.assert_close(found[tokens > 0], logits[tokens > 0, place], atol=1e-4, rtol=1e-3)
        tokens = greedy(subject)(examples.inputs)
        plain = load_subject(str(tmp_path), task=TASK).module
        del plain.begin, plain.step
        assert torch.equal(tokens, greedy(Subject(plain))(examples.inputs))
        assert len(tokens.unique()) > 3


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_source_is_read_without_its_padding(tmp_path, kind):
    subject = load_subject(str(folder_of(tmp_path, kind)), task=TASK)
    examples = TASK.examples("seen", 5, generator=Generator().manual_seed(0))
    source, prefix = examples.inputs["source"], examples.inputs["prefix"]
    for row in range(5):
        kept = source[row][source[row] > 0]
        ids = torch.cat([kept, prefix[row, :3]])[None]
        with torch.no_grad():
            direct = subject.module.forward(input_ids=ids).logits[0, len(kept) :, : TASK.input_spec.target_vocab]
        found = subject({"source": source[row : row + 1], "prefix": prefix[row : row + 1]})[0, :3]
        torch.testing.assert_close(found, direct, atol=1e-4, rtol=1e-3)


def test_what_cannot_answer_is_refused(tmp_path):
    with pytest.raises(AssayError, match=r"an id for every token.*Given: 5 for"):
        load_subject(str(folder_of(tmp_path / "ids", "gpt2", vocab=5)), task=TASK)
    with pytest.raises(AssayError, match=r"a position for every token.*Given: 12 for 13"):
        load_subject(str(folder_of(tmp_path / "positions", "gpt2", positions=12)), task=TASK)
    bert = transformers.BertForMaskedLM(transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1))
    with pytest.raises(AssayError, match="Given: BertForMaskedLM"):
        continue_texts(bert, None, ["a"])


# Texts

PROMPTS = ["a1 = 3", "a1 = 3 \n a2 = -1 \n", "a1 = 2", "d1 ="]


@pytest.mark.parametrize("kind", CONFIGS)
def test_texts_are_those_that_the_library_generates(tmp_path, kind):
    folder = folder_of(tmp_path, kind, seed=2)
    module, tokenizer = load_subject(str(folder)).module, load_tokenizer(folder)
    found = continue_texts(module, tokenizer, PROMPTS, most_tokens=12, batch_size=2)
    ended = 0
    for prompt, one in zip(PROMPTS, found, strict=True):
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        options = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0, "use_cache": False}
        whole = module.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)[0, ids.shape[1] :].tolist()
        kept = whole[: whole.index(0)] if 0 in whole else whole
        assert one.text == tokenizer.decode(kept)
        assert one.truncated == (0 not in whole)
        ended += 0 in whole
    assert continue_texts(module, tokenizer, []) == []
    assert continue_texts(module, tokenizer, PROMPTS[1:2], most_tokens=12) == found[1:2]


def test_texts_end_where_positions_end(tmp_path):
    folder = folder_of(tmp_path, "gpt2", positions=6)
    module, tokenizer = load_subject(str(folder)).module, load_tokenizer(folder)
    (one,) = continue_texts(module, tokenizer, ["a1 = 3"])
    assert len(tokenizer(one.text)["input_ids"]) <= 3
    with pytest.raises(AssayError, match="6 tokens in prompt 0 of 6"):
        continue_texts(module, tokenizer, ["a1 = 3 a2 = 3"])
    with pytest.raises(AssayError, match="0 tokens in prompt 1"):
        continue_texts(module, tokenizer, ["a1", ""])


def test_from_a_network_to_a_file_of_predictions(tmp_path):
    folder = folder_of(tmp_path, "gpt2")
    module, tokenizer = load_subject(str(folder)).module, load_tokenizer(folder)
    import numpy as np

    graphs = non_adjacent_values(np.array([[3, -1], [0, 5], [2, 2]]), outputs=False)
    prompts = [written(graphs, k)[0] for k in range(3)]
    found = continue_texts(module, tokenizer, prompts, most_tokens=8)
    path = tmp_path / "answers.jsonl"
    save_predictions(path, [one.text for one in found], truncated=[one.truncated for one in found])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["id"] for line in lines] == [0, 1, 2]
    predicted = load_predictions(path, graphs)
    assert predicted.absent == 0
    assert predicted.truncated.tolist() == [one.truncated for one in found]
