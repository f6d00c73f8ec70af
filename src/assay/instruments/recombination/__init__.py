"""Recombination: states put together from trained ones at every cut, and what the rest of the network answers to them."""

from assay.instruments.recombination.instrument import Recombination as Recombination
