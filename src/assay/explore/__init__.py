"""Stand-alone HTML pages: an explorer of pattern-producing networks and a drawing of a circuit."""

from assay.explore.circuit import circuit_html as circuit_html
from assay.explore.circuit import find_circuit as find_circuit
from assay.explore.circuit import write_circuit as write_circuit
from assay.explore.drawing import ExplorerDrawing as ExplorerDrawing
from assay.explore.drawing import drawing_at as drawing_at
from assay.explore.drawing import drawing_of as drawing_of
from assay.explore.page import explorer_html as explorer_html
from assay.explore.page import write_explorer as write_explorer
