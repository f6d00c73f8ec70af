"""Audio-like sums: two short waveforms, each at an unknown time, added to one another and to noise."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from zoo.families.symbols import SymbolTask

SAMPLES, LENGTH, NOISE = 24, 40, 0.1
STARTS = torch.arange(0, LENGTH - SAMPLES + 1, 2)


@dataclass(frozen=True, kw_only=True)
class Sounds(SymbolTask):
    """Each symbol is a waveform of 24 samples, of low pitch for the first part and of high pitch for the second. Each starts
    at a time of its own, upright or inverted, and they overlap. The input is `(n, 40)`."""

    family: ClassVar[str] = "sounds"

    @cached_property
    def _voices(self) -> Tensor:
        voices = []
        for side, band in enumerate((slice(1, SAMPLES // 4 + 1), slice(SAMPLES // 4 + 1, SAMPLES // 2))):
            terms = torch.zeros(self.sizes[side], SAMPLES // 2 + 1, dtype=torch.complex64)
            drawn = self.drawn(self.sizes[side], band.stop - band.start, 2, key=f"voice {side}")
            terms[:, band] = torch.view_as_complex(drawn)
            voices.append(torch.fft.irfft(terms, SAMPLES))
        waves = torch.stack(voices)
        return waves / waves.square().mean(-1, keepdim=True).sqrt()

    def shown(self, values: Int[Tensor, "n 2"], *, generator: Generator) -> Float[Tensor, "n 40"]:
        signal = NOISE * torch.randn(len(values), LENGTH, generator=generator)
        for side in range(2):
            start = STARTS[torch.randint(0, len(STARTS), (len(values), 1), generator=generator)]
            sign = torch.randint(0, 2, (len(values), 1), generator=generator) * 2 - 1
            signal = signal.scatter_add(1, start + torch.arange(SAMPLES), sign * self._voices[side][values[:, side]])
        return signal
