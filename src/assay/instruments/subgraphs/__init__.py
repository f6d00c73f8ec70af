"""Subgraph matching: local accuracy of computation steps by whether their subgraphs occur in training."""

from assay.instruments.subgraphs.instrument import Subgraphs as Subgraphs
