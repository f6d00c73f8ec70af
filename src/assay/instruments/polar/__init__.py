"""Does geometry, distance and angle, hold the declared graph?"""

from assay.instruments.polar.instrument import Polar as Polar
