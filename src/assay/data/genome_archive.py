"""Genomes of the archive of Earle et al. 2026 (arXiv 2605.23908): pictures evolved by vision-language models.

A run of the archive has a file `genomes.json.gz` with the genomes of all its pictures by name, and its page exports single
genomes as JSON. Both are read here. The archive's pickled genomes contain code and are not read. Nothing is fetched: users
bring the file.
"""

import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.bounds import MOST_JSON, is_file, open_file, parse_json, read_at_most
from assay.data.genomes import ACTIVATIONS, MOST_LINKS, MOST_NODES, Genome
from assay.errors import AssayError, shortened

FORMAT = "picbreeder-vlm-cppn/1"
KEYS = {-1: "x", -2: "y", -3: "d", -4: "bias", 0: "hue", 1: "saturation", 2: "brightness"}
"""Roles of nodes by their keys."""
_DISTANCE = math.sqrt(2) / 1.4  # ratio of their distance to ours
_NEXT = "export the genome again; it was not read"


def read_archive(path: Path | str, *, grey: bool = False) -> dict[str, Genome]:
    """Read genomes from a file into a mapping from names to genomes. The file is the `genomes.json.gz` of a run of the archive
    of Earle et al. 2026, compressed or not, or the JSON of one genome, which is then named after the file.

    Pictures differ slightly from the archive's own. Its input for the distance r from the centre is sqrt(2) r, Assay's is 1.4
    r; the weights of the input's links are rescaled accordingly. Its outermost pixels lie half a pixel inside Assay's. The
    archive clips arguments of sines and cosines at 60, Assay does not.

    **Arguments:** `grey`: ignore hue and saturation, as in runs with `color_enabled` false.

    **Raises:** `AssayError` for a file that is too large, damaged or of another format, for invalid activations and weights,
    for nodes or links that occur twice or are missing, and for a cycle.

    Example::

        >>> import json
        >>> from pathlib import Path
        >>> from assay.data.genome_archive import read_archive
        >>> from assay.models.evolved import dense
        >>> node = {"key": 2, "activation": "sin", "affinity": "grey", "input": False}
        >>> link = {"from": -1, "to": 2, "weight": 0.5, "enabled": True}
        >>> written = Path("apple.json").write_text(json.dumps({"nodes": [node], "connections": [link]}))
        >>> dense(read_archive("apple.json")["apple"])(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """
    with open_file(path, most=MOST_JSON) as file:
        content = read_at_most(file, path, most=MOST_JSON)
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path) as file:
                content = read_at_most(file, path, most=MOST_JSON)
        except (EOFError, zlib.error, OSError) as error:
            raise AssayError(f"{shortened(path)} must be whole gzip", given=error, next_step=_NEXT) from error
    found = _table(parse_json(content, path), str(path))
    if "nodes" in found:
        return {Path(path).stem: genome_of(found, path, grey=grey)}
    return {name: genome_of(_table(one, name), name, grey=grey) for name, one in found.items()}


def genome_at(address: str) -> Genome:
    """The genome in the file `FILE` of one, or at `FILE#NAME` of an archive. **Raises:** `AssayError` as `read_archive` does,
    for an unknown name, and without a name where the file holds several."""
    path, _, name = address.partition("#") if not is_file(address) else (address, "", "")
    found = read_archive(path)
    if not name and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        choices = [*list(found)[:10], *(["..."] if len(found) > 10 else [])]
        raise AssayError(f"{shortened(path)}#NAME must name one of its genomes", given=name or "no name", choices=choices)
    return found[name]


def genome_of(given: Mapping[str, Any], where: object, *, grey: bool = False) -> Genome:
    """The genome described by a table of the archive's JSON. **Raises:** `AssayError` as `read_archive` does."""
    if given.get("format", FORMAT) != FORMAT:
        raise AssayError(f"the format of {shortened(where)} must be known", given=given["format"], choices=[FORMAT])
    kinds: dict[int, str] = {}
    for node in _rows(given, "nodes", where, MOST_NODES):
        key = _key(node, "key", where)
        if key in kinds:
            raise AssayError(f"nodes of {shortened(where)} must have keys that differ", given=f"two are {key}", next_step=_NEXT)
        kinds[key] = "identity" if key < 0 else _activation(node.get("activation"), f"node {key} of {shortened(where)}")
    kinds.update(dict.fromkeys(range(-4, 0), "identity"))
    links: dict[tuple[int, int], float] = {}
    for link in _rows(given, "connections", where, MOST_LINKS):
        ends = _key(link, "from", where), _key(link, "to", where)
        for end in ends:
            if end not in kinds:
                raise AssayError("a link must join two nodes of the genome", given=f"an end at {end}", next_step=_NEXT)
        if ends[1] < 0:
            raise AssayError("no link may lead into an input", given=f"one into {KEYS[ends[1]]}", next_step=_NEXT)
        if ends in links:
            raise AssayError("links must join pairs of nodes that differ", given=f"two from {ends[0]} to {ends[1]}")
        links[ends] = _weight(link.get("weight")) if _enabled(link) else math.nan
    links = {ends: weight for ends, weight in links.items() if not math.isnan(weight)}
    outputs = [2] if grey else [0, 1, 2]
    links = _computed(kinds, links, outputs)
    return _joined(kinds, links, outputs, _functions(given, "inAct", 4, where), _functions(given, "outAct", 3, where))


def _computed(
    kinds: Mapping[int, str], links: Mapping[tuple[int, int], float], outputs: Sequence[int]
) -> dict[tuple[int, int], float]:
    """The links into computed nodes: those with a source, all of whose sources are computed. The archive's engine never
    evaluates the others, and an output among them is 0. **Raises:** `AssayError` for a cycle that an output depends on."""
    inputs = {str(key): str(key) for key in range(-4, 0)}
    named = {(str(a), str(b)): weight for (a, b), weight in links.items()}
    ends = {str(key): str(key) for key in outputs if key in kinds}
    Genome({str(key): kind for key, kind in kinds.items()}, inputs, ends, named, 0).order()
    sources: dict[int, list[int]] = {}
    for source, target in links:
        sources.setdefault(target, []).append(source)
    known, size = set(range(-4, 0)), 0
    while size < len(known):
        size = len(known)
        known |= {target for target, of in sources.items() if known.issuperset(of)}
    return {(a, b): weight for (a, b), weight in links.items() if b in known}


def _joined(
    kinds: Mapping[int, str],
    links: Mapping[tuple[int, int], float],
    outputs: Sequence[int],
    before: Sequence[str] | None,
    after: Sequence[str] | None,
) -> Genome:
    """The genome with activations of inputs (`before`) and of outputs (`after`) as nodes of their own."""
    reached = {target for _, target in links}
    activations = {str(key): kind if key < 0 or key in reached else "identity" for key, kind in kinds.items()}
    activations.update({str(key): "identity" for key in outputs if key not in kinds})
    found: dict[tuple[str, str], float] = {}
    for (source, target), weight in links.items():
        turned = before is not None and source < 0
        scale = _DISTANCE if source == -3 and not turned else 1.0
        found[f"{source} turned" if turned else str(source), str(target)] = weight * scale
    for number, kind in enumerate(before or ()):
        key = -1 - number
        activations[f"{key} turned"] = kind
        found[str(key), f"{key} turned"] = _DISTANCE if key == -3 else 1.0
    ends = {key: str(key) for key in outputs}
    if after is not None:
        ends = {key: f"{key} turned" for key in outputs}
        for key in outputs:
            activations[ends[key]] = after[key]
            found[str(key), ends[key]] = 1.0
    return Genome(
        activations,
        {KEYS[key]: str(key) for key in range(-4, 0)},
        {KEYS[key]: ends[key] for key in outputs},
        found,
        0,
    )


# Checks


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AssayError(f"{shortened(where)} must be a table", given=type(value).__name__, next_step=_NEXT)
    return value


def _rows(given: Mapping[str, Any], name: str, where: object, most: int) -> list[Mapping[str, Any]]:
    rows = given.get(name)
    if not isinstance(rows, list) or not 0 < len(rows) <= most:
        size = f"{len(rows):,}" if isinstance(rows, list) else type(rows).__name__
        raise AssayError(f"{name} of {shortened(where)} must be a list of 1 to {most:,}", given=size, next_step=_NEXT)
    return [_table(row, f"one of the {name}") for row in rows]


def _key(row: Mapping[str, Any], name: str, where: object) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < -4:
        rule = f"{name} in {shortened(where)} must be a whole number from -4, the last of the four inputs"
        raise AssayError(rule, given=value, next_step=_NEXT)
    return value


def _activation(value: Any, what: str) -> str:
    if value not in ACTIVATIONS:
        raise AssayError(f"the activation of {what} must be a known one", given=value, choices=ACTIVATIONS)
    return value


def _functions(given: Mapping[str, Any], name: str, num: int, where: object) -> list[str] | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != num:
        raise AssayError(f"{name} of {shortened(where)} must be a list of {num} activations", given=value, next_step=_NEXT)
    return [_activation(one, f"{name} of {shortened(where)}") for one in value]


def _enabled(link: Mapping[str, Any]) -> bool:
    value = link.get("enabled", True)
    if not isinstance(value, bool):
        raise AssayError("`enabled` of a link must be true or false", given=value, next_step=_NEXT)
    return value


def _weight(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e6:
        raise AssayError("the weight of a link must be a finite number of at most a million", given=value, next_step=_NEXT)
    return float(value)
