"""Subnetworks: is each part carried by a subnetwork that can be removed alone?"""

from assay.instruments.subnetworks.decision import over_networks as over_networks
from assay.instruments.subnetworks.instrument import Subnetworks as Subnetworks
