"""Computation graphs: nodes and their hashes, error kinds of predicted nodes, and occurrences in the training set."""

from assay.computation.domain import INTEGERS as INTEGERS
from assay.computation.domain import MISSING as MISSING
from assay.computation.domain import NumberedTexts as NumberedTexts
from assay.computation.graph import Computations as Computations
from assay.computation.graph import FixedAlgorithm as FixedAlgorithm
from assay.computation.graph import Operation as Operation
from assay.computation.graph import joined as joined
from assay.computation.hashing import examples_with as examples_with
from assay.computation.hashing import step_hashes as step_hashes
from assay.computation.hashing import subgraph_hashes as subgraph_hashes
