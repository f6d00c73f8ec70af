"""A page on which the weights of a pattern-producing network can be moved and its picture is drawn again in the browser."""

from assay.explore.drawing import Drawing as Drawing
from assay.explore.drawing import drawing_at as drawing_at
from assay.explore.drawing import drawing_of as drawing_of
from assay.explore.page import explorer_html as explorer_html
from assay.explore.page import write_explorer as write_explorer
