"""The pictures of docs/gallery.md: runs every example that it shows. `python docs/write_gallery.py`, about a minute."""

import importlib
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
EXAMPLES = ("tensors", "images", "scan", "encoder", "swarm", "sparse")
"""Files of examples/ whose `main` returns a figure."""


def picture(name: str) -> Path:
    """Where the picture of an example lies."""
    return ROOT / "docs" / "images" / f"gallery-{name}.svg"


def main() -> None:
    """Write all of them."""
    sys.path.insert(0, str(ROOT / "examples"))
    torch.set_num_threads(1)
    for name in EXAMPLES:
        picture(name).write_text(importlib.import_module(name).main() + "\n", encoding="utf-8")
        print(picture(name))


if __name__ == "__main__":
    main()
