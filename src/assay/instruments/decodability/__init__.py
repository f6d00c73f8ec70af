"""Decodability: linear probes for each declared part, beside those of untrained copies."""

from assay.instruments.decodability.instrument import Decodability as Decodability
