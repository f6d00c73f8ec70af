"""Genomes of Picbreeder: pattern-producing networks that people bred by choosing pictures (Secretan et al. 2011).

A genome is a zip of one XML file, or that file itself. Files are untrusted: entities and document types are refused before they
are expanded, and sizes are bounded.
"""

import math
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.bounds import open_file, read_at_most
from assay.data.registry import fetch
from assay.errors import AssayError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_GENOME = 2**22
"""The most bytes of XML of a genome (4 MiB): the largest registered one has 0.08 MB."""
MOST_NODES, MOST_LINKS = 4_096, 32_768
"""The most nodes and links of a genome: the largest registered one has 83 nodes and 264 links."""
ACTIVATIONS = ("cos", "gaussian", "identity", "sigmoid", "sin", "tanh")
INPUTS = ("x", "y", "d", "bias")
OUTPUTS = ("hue", "saturation", "brightness")
PICTURES = ("skull", "butterfly", "apple")
_NEXT = "export the genome again; it was not read"
_INK = "ink"


@dataclass(frozen=True)
class Genome:
    """A network as a graph.

    **Attributes:**

    - `activations`: of every node, by its name `branch/id`.
    - `inputs`: the nodes of `INPUTS` that the genome has; `outputs`: the nodes of those of `OUTPUTS` that it has.
    - `links`: `(source, target) -> weight`.
    - `age`: generations of selection.
    """

    activations: Mapping[str, str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    links: Mapping[tuple[str, str], float]
    age: int

    def coloured(self) -> "Genome":
        """The genome with all of `OUTPUTS`: a missing one is added as an identity with a link of weight 0 from the brightness,
        as in the dense networks of Kumar et al. 2025."""
        brightness = self.outputs["brightness"]
        added = {name: f"{brightness}/{name}" for name in OUTPUTS if name not in self.outputs}
        return Genome(
            {**self.activations, **dict.fromkeys(added.values(), "identity")},
            self.inputs,
            {name: added.get(name) or self.outputs[name] for name in OUTPUTS},
            {**self.links, **{(brightness, node): 0.0 for node in added.values()}},
            self.age,
        )

    def sources(self) -> dict[str, list[str]]:
        """The nodes that lead to each node."""
        found: dict[str, list[str]] = {node: [] for node in self.activations}
        for source, target in self.links:
            found[target].append(source)
        return found

    def order(self) -> tuple[str, ...]:
        """The nodes that an output depends on, in topological order.

        **Raises:** `AssayError` for a cycle among them.
        """
        sources, inputs = self.sources(), set(self.inputs.values())
        done: dict[str, None] = {}
        for output in self.outputs.values():
            waiting: list[tuple[str, bool]] = [(output, False)]
            path: set[str] = set()
            while waiting:
                node, leaving = waiting.pop()
                if leaving:
                    path.discard(node)
                    done[node] = None
                elif node in path:
                    raise AssayError("a genome must be free of cycles", given=f"one through node {node}", next_step=_NEXT)
                elif node not in done:
                    path.add(node)
                    waiting.append((node, True))
                    waiting += [(source, False) for source in ([] if node in inputs else sources[node]) if source not in done]
        return tuple(done)


def picture_genome(name: str) -> Genome:
    """The evolved genome of a published picture: `skull`, `butterfly` or `apple`.

    **Raises:** `AssayError` for another name, and when its file is not available.

    Example::

        assert picture_genome("skull").age == 74
    """
    if name not in PICTURES:
        raise AssayError("there is no such picture", given=name, choices=PICTURES)
    return read_genome(fetch("picbreeder", f"{name}.zip"))


def read_genome(path: Path | str) -> Genome:
    """The genome in a file: a zip of one XML file, or XML.

    **Raises:** `AssayError` for a file that is too large or damaged, for entities and document types in it, for invalid
    activations, labels or weights, and for nodes or links that occur twice or are missing.

    Example::

        >>> from assay.data.genomes import read_genome
        >>> from assay.data.registry import fetch
        >>> genome = read_genome(fetch("picbreeder", "skull.zip"))
        >>> len(genome.activations), len(genome.links)  # nodes, links
        (23, 57)
    """
    with open_file(path, most=MOST_GENOME) as file:
        content = read_at_most(file, path, most=MOST_GENOME)
    return parse_genome(_unpacked(path) if content[:2] == b"PK" else content, path)


def _unpacked(path: Path | str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise AssayError("the zip of a genome must hold one file", given=f"{len(names)} in {path}", next_step=_NEXT)
            with archive.open(names[0]) as file:
                content = file.read(MOST_GENOME + 1)  # the size in its header may be false
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, RuntimeError, NotImplementedError) as error:
        raise AssayError(f"{path} must be a whole zip", given=error, next_step=_NEXT) from error
    if len(content) > MOST_GENOME:
        raise AssayError(f"a genome must have at most {MOST_GENOME:,} bytes of XML", given=f"more in {path}", next_step=_NEXT)
    return content


def parse_genome(content: bytes, where: object = "the genome") -> Genome:
    """The genome in an XML text. **Raises:** `AssayError` as `read_genome` does."""
    root = _parsed(content, where)
    found = list(root.iter("genome"))
    if len(found) != 1:
        raise AssayError("a file must hold one genome", given=f"{len(found)} in {where}", next_step=_NEXT)
    activations: dict[str, str] = {}
    labelled: dict[str, str] = {}
    for element in _few(found[0].iterfind("nodes/node"), "nodes", MOST_NODES):
        name = _marking(element.find("marking"), "a node")
        if name in activations:
            raise AssayError("nodes must have names that differ", given=f"two are {name}", next_step=_NEXT)
        text = (element.findtext("activation") or "").strip()
        if (activation := text.removesuffix("(x)")) not in ACTIVATIONS:
            raise AssayError(f"the activation of node {name} must be a known one", given=text, choices=ACTIVATIONS)
        activations[name] = activation
        if (label := element.get("label")) is not None:
            if label not in (*INPUTS, *OUTPUTS, _INK):
                raise AssayError(f"the label of node {name} must be known", given=label, choices=(*INPUTS, *OUTPUTS, _INK))
            if label in labelled:
                raise AssayError("a label must be that of one node", given=f"{label} twice", next_step=_NEXT)
            labelled[label] = name
    links: dict[tuple[str, str], float] = {}
    for element in _few(found[0].iterfind("links/link"), "links", MOST_LINKS):
        ends = _marking(element.find("source"), "a link's source"), _marking(element.find("target"), "a link's target")
        for end in ends:
            if end not in activations:
                raise AssayError("a link must join two nodes of the genome", given=f"an end at {end}", next_step=_NEXT)
        if ends in links:
            raise AssayError("links must join pairs of nodes that differ", given=f"two from {ends[0]} to {ends[1]}")
        links[ends] = _weight(element.findtext("weight"))
    outputs = {name: labelled[name] for name in OUTPUTS if name in labelled}
    if _INK in labelled:
        outputs["brightness"] = labelled[_INK]
    if "brightness" not in outputs:
        raise AssayError("a genome must have an output", given="neither ink nor brightness", next_step=_NEXT)
    inputs = {name: labelled[name] for name in INPUTS if name in labelled}
    return Genome(activations, inputs, outputs, links, _whole(found[0].get("age", "0"), "the age"))


def _parsed(content: bytes, where: object) -> "Element":
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(content, forbid_dtd=True)
    except DefusedXmlException as error:
        given = f"{type(error).__name__} in {where}"
        raise AssayError(
            "a genome must be plain XML, without document types and entities", given=given, next_step=_NEXT
        ) from error
    except (ParseError, ValueError, LookupError) as error:  # the last two: errors of the encoding
        raise AssayError(f"{where} must be whole XML", given=error, next_step=_NEXT) from error


def _few(elements: "Iterable[Element]", what: str, most: int) -> "list[Element]":
    found = list(elements)
    if not 0 < len(found) <= most:
        raise AssayError(f"a genome must have 1 to {most:,} {what}", given=f"{len(found):,}", next_step=_NEXT)
    return found


def _marking(element: "Element | None", what: str) -> str:
    branch, number = (None, None) if element is None else (element.get("branch"), element.get("id"))
    if branch is None or number is None:
        raise AssayError(f"{what} must be named by branch and id", given="a part of the name is missing", next_step=_NEXT)
    return f"{_whole(branch, 'a branch')}/{_whole(number, 'an id')}"


def _whole(text: str, what: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise AssayError(f"{what} must be a whole number", given=text, next_step=_NEXT)
    return int(text)


def _weight(text: str | None) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > 1e6:
        raise AssayError("the weight of a link must be a finite number of at most a million", given=text or "none")
    return value
