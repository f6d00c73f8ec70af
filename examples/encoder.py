"""A Hugging Face encoder and syntax: a small BERT guesses masked words. Does the geometry of its states hold the trees?

Any folder or hub name that transformers loads goes the same way: `assay audit FOLDER --task treebank:en_nested`."""

import tempfile
from dataclasses import replace

import torch

import assay
from assay.instrument import Budget, run
from assay.instruments.polar import Polar
from assay.report import figures_of
from assay.report.canvas import Svg
from assay.tasks.nested import nested_sentences

BUDGET = replace(Polar().budgets["quick"], train=60, dev=20, test=30, epochs=2, seeds=1, repeats=1, removals=2)


def keep_encoder(folder: str, *, steps: int, batch: int = 24) -> None:
    """Train on sentences of which every sixth word is hidden, and keep the model as transformers does."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast

    generator = torch.Generator().manual_seed(0)
    texts = [" ".join(one.graph.words) for one in nested_sentences(500, generator=generator)]
    words = ["[PAD]", "[UNK]", *sorted(set(" ".join(texts).split())), "[MASK]"]
    inner = Tokenizer(models.WordLevel({word: k for k, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    model = BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **sizes))
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(steps):
        rows = torch.randint(len(texts), (batch,), generator=generator)
        given = tokenizer([texts[k] for k in rows], padding=True, return_tensors="pt")
        hidden = (torch.rand(given.input_ids.shape, generator=generator) < 1 / 6) & given.attention_mask.bool()
        labels = given.input_ids.masked_fill(~hidden, -100)
        inputs = given.input_ids.masked_fill(hidden, tokenizer.mask_token_id)
        model(input_ids=inputs, attention_mask=given.attention_mask, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(*, steps: int = 80, budget: Budget = BUDGET) -> Svg:
    """UUAS and LAS of the probe, layer by layer, beside their nulls."""
    task = assay.load_task("treebank:en_nested")
    with tempfile.TemporaryDirectory() as folder:
        keep_encoder(folder, steps=steps)
        evidence = run(Polar(rank=8, budgets={"quick": budget}), assay.load_subject(folder, task=task), task, effort="quick")
    print(evidence.summary)
    return (figures := figures_of(evidence)).get("Layer curve") or figures["measures"]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
