"""Systematicity: scores on novel combinations of trained parts."""

from assay.instruments.systematicity.instrument import Systematicity as Systematicity
