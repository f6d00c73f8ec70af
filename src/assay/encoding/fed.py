"""Encoder on a task's own tokens: states at every site that has one vector for each position."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from assay.encoding.encoder import weights_digest
from assay.errors import AssayError
from assay.graph import FedTokens, FeedsGraphs, Graph
from assay.site import Site, thinned
from assay.subject import Subject

MOST_SITES = 8


class FedEncoder:
    """Encoder of texts that a task turns into inputs. The layers are sites with a state `(positions, width)`, of the most
    common width, at most `most_sites`, outer modules first.

    **Raises:** `AssayError` when the network has no such site.
    """

    def __init__(self, subject: Subject, task: FeedsGraphs, *, sites: Sequence[str] = (), most_sites: int = MOST_SITES):
        self.subject, self.task = subject, task
        self._wanted, self._most = tuple(sites), most_sites
        self._layers: tuple[str, ...] = ()
        self._left_out = 0

    @property
    def left_out(self) -> int:
        """The number of further sites; defined after `prepare`."""
        return self._left_out

    @property
    def layers(self) -> tuple[str, ...]:
        """The sites that are read; defined after `prepare`."""
        return self._layers

    @property
    def identity(self) -> str:
        content = f"{weights_digest(sorted(self.subject.weights().items()))} {type(self.task).__name__} {self.layers}"
        return hashlib.sha256(content.encode()).hexdigest()

    def prepare(self, graphs: Sequence[Graph]) -> "_FedTexts":
        """Inputs from the task, and the sites of the network that fit them."""
        fed = self.task.feed(graphs)
        length = int(fed.places.max()) + 1 if fed.places.numel() else 0
        if not self._layers:
            self._layers = self._sites(dict(fed.inputs), length)
        words, refused = [], {}
        for k, graph in enumerate(graphs):
            places = fed.places[k, : len(graph.words)].tolist()
            if fed.rows is None:
                found = {place: word for word, place in enumerate(places) if place >= 0}
                words.append(tuple(found.get(place, -1) for place in range(length)))
            else:
                found = {word: word for word, place in enumerate(places) if place >= 0}
                words.append(tuple(found.get(word, -1) for word in range(fed.places.shape[1])))
            if len(found) < len(graph.words):
                refused[k] = f"{len(graph.words) - len(found)} words have no position of their own"
        return _FedTexts(self.subject, fed, self._layers, words, refused)

    def on(self, subject: Subject) -> "FedEncoder":
        """The same encoder on another network of the same architecture."""
        return FedEncoder(subject, self.task, sites=self.layers)

    def site(self, layer: str) -> str:
        """The layer itself: layers are sites."""
        return layer

    def _sites(self, inputs: dict[str, Tensor], length: int) -> tuple[str, ...]:
        places = self.subject.match(self._wanted, inputs) if self._wanted else self.subject.sites(inputs)
        # With more positions than inputs, as with a prepended token, positions would be misaligned.
        fed = {value.shape[1] for value in inputs.values() if value.ndim > 1}
        able = [site for site in places if _is_sequence(site, length) and site.shape[0] in fed]
        if not able:
            raise AssayError(
                "the network must have a hidden state for every position",
                given=f"no site with {' or '.join(map(str, sorted(fed)))} positions",
                choices=[site.name for site in places],
                next_step="use a network that keeps the positions apart, such as a transformer",
            )
        width, _ = Counter(site.shape[-1] for site in able).most_common(1)[0]
        chosen = [site for site in able if site.shape[-1] == width]
        kept = chosen if self._wanted else thinned(chosen, self._most)
        self._left_out = len(chosen) - len(kept)
        return tuple(site.name for site in kept)


def _is_sequence(site: Site, length: int) -> bool:
    return site.calls == 1 and len(site.shape) == 2 and site.shape[0] >= length > 0


@dataclass(frozen=True)
class _FedTexts:
    subject: Subject
    fed: FedTokens
    layers: tuple[str, ...]
    words: Sequence[Sequence[int]]
    refused: Mapping[int, str]

    def states(self, texts: Sequence[int]) -> Float[Tensor, "layers texts tokens width"]:
        chosen = torch.tensor(texts)
        rows = chosen if self.fed.rows is None else self.fed.rows[chosen].flatten()
        read = self.subject.read({name: value[rows] for name, value in self.fed.inputs.items()}, self.layers)
        if self.fed.rows is None:
            length = len(self.words[texts[0]])
            return torch.stack([read[site][:, :length].float() for site in self.layers])
        places = self.fed.places[chosen].flatten().clamp(min=0)
        each = torch.arange(len(rows))
        return torch.stack([read[site][each, places].float().unflatten(0, (len(texts), -1)) for site in self.layers])
