"""Recombination: interchange of additive states, fitted on trained combinations, at every cut of a network."""

from assay.instruments.recombination.instrument import Recombination as Recombination
