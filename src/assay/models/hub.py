"""Models of the Hugging Face hub by name: fetched into the hub's own cache, and read from there as a local folder."""

import re
from pathlib import Path

from assay.errors import AssayError

_NAME = re.compile(r"hf://(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<revision>[\w./-]+))?")
WANTED = ("*.safetensors", "*.safetensors.index.json", "*.json", "*.txt", "*.model")
"""Files that are fetched: weights as safetensors, settings and tokenizers; no code."""


def is_hub_name(address: str) -> bool:
    """Whether an address names a model of the hub: `hf://owner/name`, or `hf://owner/name@revision`."""
    return address.startswith("hf://")


def fetched(address: str) -> Path:
    """The local folder of a model, fetched if it is not in the cache.

    **Raises:** `AssayError` for an invalid name, and where neither hub nor cache holds the model.

    Example::

        load_hugging_face(fetched("hf://HuggingFaceTB/SmolLM2-135M@main"))
    """
    found = _NAME.fullmatch(address)
    if found is None:
        rule = "a model of the hub is written hf://owner/name or hf://owner/name@revision"
        raise AssayError(rule, given=address, next_step="copy the name from the page of the model")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise AssayError("a model of the hub needs transformers", next_step="pip install assay[hf]") from error
    try:
        return Path(snapshot_download(found["name"], revision=found["revision"], allow_patterns=list(WANTED)))
    except Exception as error:  # errors of the client, of requests and of the system
        first_line = str(error).strip().partition("\n")[0]
        raise AssayError(
            "the model must be on the hub, and the hub within reach, or the model in the local cache",
            given=f"{address}: {type(error).__name__}: {first_line}",
            next_step="check the name; without a connection download it elsewhere and give the folder",
        ) from error
