"""Reports: the page, its figures, the summary for a terminal, and the comparison of several audits.

- `write_report(directory, audit)`: `report.html`, `report.json` and `figures/*.svg`; returns the page's path.
- `read_report(path)`: the audit in a `report.json`.
- `read_units(path)`: the values of nulls per unit, stored beside it.
- `write_comparison(directory, audits, *, title, intro)`: one page that compares audits.
- `summary(audit)` for rich, `summary_text(audit)` as plain text.
- `differences(audits)`: paired differences of networks on the same combinations.
- `figures_of(evidence)`, `comparison_figure(audits)`: figures as SVG, which a notebook shows.
- `json_schema()`: the schema of `report.json`.
"""

from assay.report.comparison import comparison_figure as comparison_figure
from assay.report.comparison import write_comparison as write_comparison
from assay.report.page import write_report as write_report
from assay.report.paired import differences as differences
from assay.report.pictures import figures_of as figures_of
from assay.report.schema import json_schema as json_schema
from assay.report.schema import read_report as read_report
from assay.report.schema import read_units as read_units
from assay.report.summary import summary as summary
from assay.report.summary import summary_text as summary_text
