"""Reference networks. `NAMES` lists them without importing torch; `build` makes one that fits a task."""

from typing import TYPE_CHECKING, Any

NAMES: tuple[str, ...] = (
    "mlp", "transformer", "gru", "encoder-decoder", "causal", "cnn", "cppn", "slot-attention", "conv-autoencoder",
    "vit", "set-transformer",
)  # fmt: skip

if TYPE_CHECKING:
    from assay.models.addresses import load_subject as load_subject
    from assay.models.reference import ModelConfig as ModelConfig
    from assay.models.reference import build as build
    from assay.models.reference import configure as configure
    from assay.models.reference import default_name as default_name
    from assay.models.reference import rebuild as rebuild
    from assay.models.reference import size_names as size_names

_HOMES = {
    "ModelConfig": "reference",
    "build": "reference",
    "configure": "reference",
    "default_name": "reference",
    "rebuild": "reference",
    "size_names": "reference",
    "load_subject": "addresses",
}


def __getattr__(name: str) -> Any:
    # Importing torch takes most of a second, too long for `assay --help`.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
