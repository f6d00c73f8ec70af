"""Langue: how much of a network's relational structure follows from text alone."""

from assay.instruments.langue.instrument import Langue as Langue
