"""How much of a model's relational structure follows from text alone."""

from assay.instruments.langue.instrument import Langue as Langue
