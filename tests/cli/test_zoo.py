"""`assay zoo score` prints the table that ships."""

import json

from assay.cli.main import main
from assay.verdict.rates import shipped_rates


def test_the_table_is_printed(capsys):
    assert main(["zoo", "score"]) == 0
    assert capsys.readouterr().out == shipped_rates().as_text() + "\n"


def test_every_figure_is_there_as_json(capsys):
    assert main(["zoo", "score", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    keys = (
        "level0_auroc level0_auroc_worst_family level0_over_baseline e_auroc e_auroc_worst_kind c_spearman_partial "
        "label_free_auroc level0_false_composes_upper level0_contradicted_called_composing partial_called_composing "
        "where_broken combining_call refactor_change twin_flips ignored_shown_carried share_judged"
    )
    assert all({"value", "low", "high"} <= set(content[key]) for key in keys.split())
    assert content["subjects"] == shipped_rates().subjects
