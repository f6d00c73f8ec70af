"""Polar: do distances and angles between states encode the declared graph?"""

from assay.instruments.polar.instrument import Polar as Polar
