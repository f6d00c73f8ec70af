"""A tokenizer with the words of some lists, for models that tests make."""

import json
import re
from pathlib import Path

from assay.tasks.list_words import KINDS

UNKNOWN = ("Sydney", "tan")


def write_tokenizer(path: Path) -> int:
    """Into a folder, with the words of cities and shapes but `UNKNOWN`, and a `config.json`; how many words it has."""
    import tokenizers
    import transformers

    kinds = [KINDS["city"], KINDS["shape"]]
    told = " ".join(text for kind in kinds for text in (kind.told, kind.asked, kind.question, kind.reversed_told))
    told = re.sub(r"([.?:])", r" \1 ", re.sub(r"\{\w+\}", "", told))
    words = [word for kind in kinds for word in (*kind.entities, *kind.attributes) if word not in UNKNOWN]
    vocabulary = {word: k for k, word in enumerate(dict.fromkeys(["<unk>", "<start>", *told.split(), *words]))}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path.mkdir(parents=True, exist_ok=True)
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>").save_pretrained(path)
    (path / "config.json").write_text(json.dumps({"vocab_size": len(vocabulary)}), encoding="utf-8")
    return len(vocabulary)
