"""The zoo: networks whose true answer is known, from which the verdict's error rates are measured.

A package of the maintainers, which is not in the wheel. `python -m zoo.build --out DIR` makes the networks that `manifest.toml`
declares; every one keeps a record of what it does on novel combinations (`zoo.truth`).
"""
