"""How a subject of every kind is made: genuine ones, their imitations, and what lies between."""

from assay.zoo.kinds.catalogue import KINDS as KINDS
from assay.zoo.kinds.catalogue import Kind as Kind
from assay.zoo.kinds.catalogue import kind as kind
from assay.zoo.kinds.catalogue import make as make
from assay.zoo.kinds.catalogue import make_many as make_many
from assay.zoo.kinds.order import Order as Order
