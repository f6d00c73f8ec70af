"""Recombination: an inside that holds a combination never trained, made from trained inputs alone."""

from assay.instruments.former.instrument import Recombination as Recombination
