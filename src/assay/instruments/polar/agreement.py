"""Agreement on sentences in which the tree decides a word: is the right form likelier than the wrong one?

A model that fills gaps is given the sentence with the word masked; one that reads from left to right, what is before it.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from assay.encoding import Encoder, HuggingFaceEncoder
from assay.graph import Continuation, GivesContinuations
from assay.instruments.polar.causal import Behaviour
from assay.subject import Subject


def agreement(
    subject: Subject, task: GivesContinuations, encoder: Encoder, layer: str, *, num: int, generator: Generator
) -> Behaviour | str:
    """Shares of right forms; or, in words, why they cannot be had."""
    if not isinstance(encoder, HuggingFaceEncoder):
        return "agreement is asked of language models with a tokenizer of their own"
    site = encoder.site(layer)
    if not site:
        return "the layer is no site of the network, so that nothing can be taken out there"
    # pyrefly: ignore[not-callable]  (a method of every model of transformers)
    if encoder.module.get_output_embeddings() is None:
        return "the model has no head that predicts tokens"
    sentences = task.continuations(num, generator=generator)
    forms = [_single_tokens(encoder, sentence) for sentence in sentences]
    kept = [k for k, form in enumerate(forms) if form is not None]
    if not kept:
        return "no sentence of the task has a right and a wrong form that are one token each"
    tokens, asked = _inputs(encoder, [sentences[k] for k in kept])
    pairs = torch.tensor([forms[k] for k in kept])

    def run(change: Callable[[Tensor], Tensor] | None) -> Float[Tensor, " n"]:
        logits = subject(tokens, replace={} if change is None else {site: change})
        chosen = logits[torch.arange(len(asked)), asked].gather(1, pairs)
        return (chosen[:, 0] > chosen[:, 1]).float() + 0.5 * (chosen[:, 0] == chosen[:, 1]).float()

    return Behaviour("agreement", "share of right verb forms", run, torch.arange(len(kept)), "example")


def masks(encoder: HuggingFaceEncoder) -> bool:
    """Whether the model fills gaps, rather than reading from left to right."""
    return "MaskedLM" in type(encoder.module).__name__


def _single_tokens(encoder: HuggingFaceEncoder, sentence: Continuation) -> tuple[int, int] | None:
    """The tokens of the right and of the wrong form, where each is one."""
    found = []
    for word in (sentence.right, sentence.wrong):
        tokens = encoder.tokenizer([word], is_split_into_words=True, add_special_tokens=False)["input_ids"]
        if len(tokens) != 1 or tokens[0] == encoder.tokenizer.unk_token_id:
            return None
        found.append(tokens[0])
    return found[0], found[1]


def _inputs(encoder: HuggingFaceEncoder, sentences: Sequence[Continuation]) -> tuple[dict[str, Tensor], Tensor]:
    """What the model is given, and the position of whose output the word is asked."""
    rows, asked = [], []
    for sentence in sentences:
        words, fills = list(sentence.graph.words), masks(encoder)
        given = words if fills else words[: sentence.place]
        cut = encoder.tokenizer(given, is_split_into_words=True, add_special_tokens=fills)
        tokens = list(cut["input_ids"])
        if fills:
            place = cut.word_ids().index(sentence.place)
            tokens[place] = encoder.tokenizer.mask_token_id
        else:
            place = len(tokens) - 1
        rows.append(tokens)
        asked.append(place)
    longest = max(map(len, rows))
    pad = encoder.tokenizer.pad_token_id or 0
    tokens = torch.tensor([row + [pad] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": tokens, "attention_mask": mask}, torch.tensor(asked)
