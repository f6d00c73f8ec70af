"""Subnetworks: masks that isolate each part, found along a sparsity path and ablated."""

from assay.instruments.subnetworks.decision import over_networks as over_networks
from assay.instruments.subnetworks.instrument import Subnetworks as Subnetworks
