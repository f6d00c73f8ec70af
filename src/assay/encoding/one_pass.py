"""Encoding of texts in one pass: the choice of an encoder, batches of similar length, tokens pooled to nodes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float, Float16, Int
from torch import Tensor

from assay.encoding.encoded import Encoded, EncodedHeader, Refused, check_same, open_states, read_head, write_head
from assay.encoding.encoder import Encoder, PreparedTexts
from assay.encoding.fed import MOST_SITES, FedEncoder
from assay.encoding.hugging_face import HuggingFaceEncoder
from assay.errors import AssayError
from assay.graph import FeedsGraphs, Graph
from assay.progress import report
from assay.subject import Subject

BATCH_TOKENS = 2_048  # tokens of a batch, padding included
LIKE = 0.75  # shortest text of a batch, as a share of the longest: padding costs as much as words
FLUSH = 16  # batches between two writes of the header


def encoder_of(subject: Subject, task: object, *, most_layers: int | None = None) -> Encoder:
    """The encoder of a task's texts with this subject: on the task's own tokens where it provides them, else on the tokenizer
    beside the subject's weights.

    **Arguments:** `most_layers`: the most layers to read, at least two, evenly spaced; None for all of a Hugging Face model,
    and for the default of `FedEncoder` on other networks.

    **Raises:** `AssayError` when there are neither.
    """
    if isinstance(task, FeedsGraphs):
        return FedEncoder(subject, task, most_sites=MOST_SITES if most_layers is None else min(MOST_SITES, most_layers))
    if getattr(subject.module, "name_or_path", ""):
        whole = HuggingFaceEncoder.of(subject)
        return whole if most_layers is None else whole.thinned(most_layers)
    raise AssayError(
        "words need a tokenizer: a Hugging Face folder has one, and a task may feed tokens of its own",
        given=f"{type(subject.module).__name__}, which is no Hugging Face model",
        next_step="load the subject from the folder that `save_pretrained` wrote, or give the task a method `feed`",
    )


def encode(encoder: Encoder, graphs: Sequence[Graph], *, folder: Path | str | None = None) -> Encoded:
    """States of every node at every layer: the mean over the tokens of each of its words, then over these words.

    Texts that the encoder refuses are left out and listed in `Encoded.refused`.

    **Arguments:** `folder`: for the memory map, in float16. A finished folder of the same encoding is read, and an unfinished
    one continued. None keeps the states in memory.

    **Raises:** `AssayError` when the folder holds the encoding of another model, tokenizer or set of texts, and when a state
    exceeds the range of float16.

    Example::

        >>> from assay.encoding import HuggingFaceEncoder, encode
        >>> sentences = assay.load_task("treebank:en_nested").graphs("train", 4, generator=torch.Generator().manual_seed(0))
        >>> encoded = encode(HuggingFaceEncoder.load("models/tiny"), sentences, folder="encodings")
        >>> len(encoded.layers), encoded.states.shape[1] == sum(len(graph) for graph in sentences)
        (4, True)
    """
    prepared = encoder.prepare(graphs)
    refused = dict(prepared.refused) | {k: "no nodes" for k, graph in enumerate(graphs) if not len(graph)}
    kept = [k for k in range(len(graphs)) if k not in refused]
    batches = _batches(prepared, kept)
    starts = [0, *torch.tensor([len(graphs[k]) for k in kept], dtype=torch.int64).cumsum(0).tolist()]
    first_row = dict(zip(kept, starts, strict=False))
    named = tuple(Refused(text=k, sentence_id=graphs[k].sentence_id, why=why) for k, why in sorted(refused.items()))
    if folder is None:
        states = torch.zeros(len(encoder.layers), starts[-1], 0, dtype=torch.float16)
        for done, batch in enumerate(batches):
            report("encoding", done / len(batches))
            rows, pooled = _pooled(prepared, graphs, batch, first_row)
            if not done:  # the first batch gives the width
                states = pooled.new_empty(len(pooled), starts[-1], pooled.shape[2])
            states[:, rows] = pooled
        return Encoded(states, encoder.layers, torch.tensor(starts), tuple(kept), named)
    width = prepared.states(batches[0][:1]).shape[-1] if batches else 0
    head = EncodedHeader(
        encoder=encoder.identity,
        texts=texts_digest(graphs),
        layers=encoder.layers,
        width=width,
        starts=tuple(starts),
        kept=tuple(kept),
        refused=named,
        done=0,
        batches=len(batches),
    )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    there = read_head(folder)
    if there is not None:
        check_same(folder, there, head)
        head = there
    if head.done < head.batches:
        kept_map = open_states(folder, head, new=there is None)
        states = torch.from_numpy(kept_map)
        for done in range(head.done, head.batches):
            if done % FLUSH == 0:
                _keep(folder, head, kept_map, done)
            report("encoding", done / head.batches)
            rows, pooled = _pooled(prepared, graphs, batches[done], first_row)
            states[:, rows] = pooled
        head = _keep(folder, head, kept_map, head.batches)
    elif there is None:
        write_head(folder, head)
    return Encoded.open(folder, head)


def texts_digest(graphs: Sequence[Graph]) -> str:
    """SHA-256 over the words and the mentions of every text, in hexadecimal."""
    digest = hashlib.sha256()
    for graph in graphs:
        digest.update(repr((graph.words, graph.mentions)).encode())
    return digest.hexdigest()


def _keep(folder: Path, head: EncodedHeader, kept_map: object, done: int) -> EncodedHeader:
    """Write the states to the disk first, then the header that counts them."""
    getattr(kept_map, "flush", lambda: None)()
    head = head.model_copy(update={"done": done})
    write_head(folder, head)
    return head


def _batches(prepared: PreparedTexts, kept: Sequence[int]) -> list[list[int]]:
    """Batches of texts of similar length, the longest first, so that a machine with too little memory fails at once."""
    batches: list[list[int]] = []
    longest = 0
    for k in sorted(kept, key=lambda k: (-len(prepared.words[k]), k)):
        length = max(1, len(prepared.words[k]))
        if not batches or (len(batches[-1]) + 1) * longest > BATCH_TOKENS or length < LIKE * longest:
            batches.append([])
            longest = length
        batches[-1].append(k)
    return batches


def _pooled(
    prepared: PreparedTexts, graphs: Sequence[Graph], batch: Sequence[int], first_row: dict[int, int]
) -> tuple[Int[Tensor, " nodes"], Float16[Tensor, "layers nodes width"]]:
    """The nodes of a batch: their rows among those of all texts, and their states."""
    pooled = pool(prepared.states(batch), [prepared.words[k] for k in batch], [graphs[k] for k in batch]).half()
    if not torch.isfinite(pooled).all():
        raise AssayError(
            "states must be finite numbers that float16 can hold",
            given=f"text {graphs[batch[0]].sentence_id or batch[0]} or one of like length, whose states are not",
            next_step="look for NaN in the weights; activations above 65,504 cannot be kept",
        )
    return torch.cat([torch.arange(len(graphs[k])) + first_row[k] for k in batch]), pooled


def pool(
    states: Float[Tensor, "layers texts tokens width"], words: Sequence[Sequence[int]], graphs: Sequence[Graph]
) -> Float[Tensor, "layers nodes width"]:
    """Means over the tokens of a word, then over the words of a node, by one sparse product.

    **Arguments:** `words`: for every text the word of each token, -1 for none; every word has a token.
    """
    num_layers, _, length, width = states.shape
    rows, columns, shares, first = [], [], [], 0
    for text, (of_token, graph) in enumerate(zip(words, graphs, strict=True)):
        tokens: dict[int, list[int]] = {}
        for place, word in enumerate(of_token):
            tokens.setdefault(word, []).append(text * length + place)
        for node, mention in enumerate(graph.mentions):
            for word in mention:
                found = tokens[word]
                rows += [first + node] * len(found)
                columns += found
                shares += [1 / len(found) / len(mention)] * len(found)
        first += len(graph)
    sparse = torch.sparse_coo_tensor(
        torch.tensor([rows, columns]), torch.tensor(shares), (first, states.shape[1] * length), check_invariants=False
    )
    flat = states.permute(1, 2, 0, 3).reshape(-1, num_layers * width)
    return torch.sparse.mm(sparse, flat).unflatten(1, (num_layers, width)).transpose(0, 1)
