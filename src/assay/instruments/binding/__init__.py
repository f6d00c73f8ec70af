"""Binding: are entities segregated, kept apart, and reused? (Greff, van Steenkiste and Schmidhuber 2020)"""

from assay.instruments.binding.instrument import Binding as Binding
