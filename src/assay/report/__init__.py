"""What a reader sees: the page, its figures, the summary for a terminal, and the comparison of several audits.

- `write_report(directory, audit)`: `report.html`, `report.json` and `figures/*.svg`; returns the page's path.
- `read_report(path)`: the audit back from `report.json`.
- `write_comparison(directory, audits, *, title, intro)`: one page that sets audits side by side.
- `summary(audit)` for rich, `summary_text(audit)` for anything else.
- `measures_chart(evidence)`, `table_charts(evidence)`, `comparison_chart(audits)`: the figures as altair charts.
- `json_schema()`: of `report.json`.
"""

from assay.report.comparison import comparison_chart as comparison_chart
from assay.report.comparison import write_comparison as write_comparison
from assay.report.figures import measures_chart as measures_chart
from assay.report.page import write_report as write_report
from assay.report.pictures import table_charts as table_charts
from assay.report.schema import json_schema as json_schema
from assay.report.schema import read_report as read_report
from assay.report.summary import summary as summary
from assay.report.summary import summary_text as summary_text
