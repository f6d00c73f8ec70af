"""Examples in the docstrings of all names of the API reference: each runs, beside a trained network `runs/addition`, its
`report`, and a small language model `models/tiny`."""

import doctest
import inspect
import os
import re
from pathlib import Path

import pytest
import torch

import assay
from assay.data.registry import MIRROR_VARIABLE
from reference_pages import Entry, entries, named

pytestmark = pytest.mark.slow

UNRUN = {
    "assay.check": "it trains and audits dozens of networks, as tests/conformance do",
    "assay.training.trackio": "it writes into the user's own database",
}
WRITTEN_BY_READERS = {"assay.Instrument": "examples/plugin/silhouette.py has every method, and tests/test_plugins.py runs it"}
NEEDS_PACKAGE = {
    "assay.encoding.HuggingFaceEncoder": "transformers",
    "assay.encoding.encode": "transformers",
    "assay.models.causal_language.continue_texts": "transformers",
    "assay.training.tensorboard": "tensorboard",
}
NEEDS_DATA = {
    "assay.data.genomes.read_genome": "picbreeder",
    "assay.data.texts.tiny_shakespeare": "text_tinyshakespeare",
    "assay.models.evolved.skull": "picbreeder",
    "assay.regularity.GivesIrregular": "picbreeder",
}
ENTRIES = entries()


def small_language_model(folder: Path) -> None:
    """A GPT-2 with random weights and a tokenizer of a few words, as transformers saves them."""
    tokenizers, transformers = pytest.importorskip("tokenizers"), pytest.importorskip("transformers")
    words = ["[UNK]", "</s>", ".", "the", "farmers", "driver", "near", "laugh", "laughs"]
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: k for k, word in enumerate(words)}, unk_token="[UNK]"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]", eos_token="</s>")
    fast.save_pretrained(folder)
    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32}
    config = transformers.GPT2Config(vocab_size=len(words), bos_token_id=1, eos_token_id=1, **sizes)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("docstrings")
    run = assay.train("modular-addition:p=7", out=made / "runs" / "addition", config={"steps": 300}, progress=None)
    subject, task = assay.load_subject(str(run.path)), assay.load_task("modular-addition:p=7")
    only = [assay.load_instrument("systematicity")]
    assay.write_report(made / "report", assay.audit(subject, task, effort="quick", instruments=only, progress=None))
    return made


def example_of(entry: Entry) -> doctest.DocTest:
    return doctest.DocTestParser().get_doctest(entry.docstring(), {"assay": assay, "torch": torch}, entry.name, None, 0)


SOURCES = "".join(example.source for entry in ENTRIES for example in example_of(entry).examples)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_it_has_an_example_that_does_more_than_name_it(entry):
    lines = [example.source.strip() for example in example_of(entry).examples]
    shown = [line for line in lines if not re.fullmatch(r"from .* import .*|import .*|[\w.]+", line)]
    if entry.name in UNRUN:
        assert "Example::" in entry.docstring()
    else:
        assert shown, f"{entry.name} needs an example in its docstring"


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.name not in UNRUN], ids=lambda entry: entry.name)
def test_it_runs_and_gives_what_it_says(entry, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if package := NEEDS_PACKAGE.get(entry.name):
        pytest.importorskip(package)
    if package == "transformers" and not Path("models").exists():
        small_language_model(folder / "models" / "tiny")
    if (data := NEEDS_DATA.get(entry.name)) and not Path(os.environ.get(MIRROR_VARIABLE, ""), data).exists():
        pytest.skip(f"needs the files of {data}")
    told: list[str] = []
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=options).run(example_of(entry), out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.members], ids=lambda entry: entry.name)
def test_members_that_are_shown_are_described_and_an_example_uses_them(entry):
    for member in entry.members:
        described = inspect.getdoc(getattr(named(entry.name), member)) or ""
        assert described, f"{entry.name}.{member}"
        assert "Example" not in described, f"{entry.name}.{member}: the example belongs to the class, where it runs"
        used = re.search(rf"\.{member}\b|def {member}\b", SOURCES)
        assert used or entry.name in WRITTEN_BY_READERS, f"an example should use {entry.name}.{member}"
