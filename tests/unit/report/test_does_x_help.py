"""The table "Does X help?": cells follow the claims' verdicts, and the page holds them."""

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from linear_grokking import load
from linear_grokking.figures import registry, style
from linear_grokking.report import does_x_help

CLONE = Path(__file__).parents[3]
ROWS = tomllib.loads(does_x_help.ROWS.read_text(encoding="utf-8"))["row"]


def judged(**verdicts):
    """Return claims as they are counted on, but for some verdicts by id."""
    cells = [row[name] for row in ROWS for name in does_x_help.CELLS if name in row]
    counted_on = {claim: (verdict or ["confirmed"])[0] for _, claim, *verdict in cells}
    verdicts = counted_on | {name.replace("_", "-"): word for name, word in verdicts.items()}
    values = {"measured": 287.1, "low": 250.9, "high": 328.4, "predicted": 300.25}
    values["statement"] = "At λ = 0.9, s² = 1e-3 and λ = 0.9 the time is 2λ = 1.8."
    return pd.DataFrame([{"id": k, "verdict": v, **values} for k, v in verdicts.items()])


def test_rows_are_complete_and_name_figures_and_claims_that_exist():
    shipped = set(load.claims(CLONE, size="config")["id"])
    assert {row["model"] for row in ROWS} == set(does_x_help.MODELS)
    for row in ROWS:
        assert set(row) <= {"model", "what", *does_x_help.CELLS}
        assert "answer" in row
        # The page, the picture and the spreadsheet show a caret as it is.
        assert not any("^" in row[name][0] for name in does_x_help.CELLS if name in row)
        for name in set(row) & set(does_x_help.CELLS):
            says, claim, *verdict = row[name]
            assert says and claim.partition("-")[0] in registry.figure_ids()
            assert claim in shipped
            assert len(verdict) <= 1


def test_cells_hold_what_was_measured_with_its_interval():
    table = does_x_help.table(judged()).set_index("what")
    assert not (table == "undecided").any(axis=None)
    assert table.loc["momentum 0.9", "training"] == "÷ 287 (250 … 330)"
    assert table.loc["momentum 0.9", "delay"] == ""
    assert table.loc["momentum 0.9", "where"] == "λ = 0.9; s² = 1e-3"
    assert table.loc["Grokfast, κ = 2", "answer"] == "like a larger learning rate"
    assert table.loc["Grokfast, κ = 2", "figure"] == "A8"
    assert "A8-grokfast-helps" in table.loc["Grokfast, κ = 2", "claims"].split()


def test_formulas_hold_what_was_predicted():
    table = does_x_help.table(judged()).set_index("what")
    assert table.loc["learning rate × 3", "formula"] == "t ∝ 1/η: generalization ÷ 300"
    assert table.loc["conjugate gradients", "training"] == "÷ 287 (250 … 330)"
    unknown = does_x_help.table(judged(A8_grokfast_factor="undecided")).set_index("what")
    assert unknown.loc["Grokfast, κ = 2", "formula"] == "undecided"


def test_settings_are_values_lists_and_ranges():
    for statement, expected in (
        ("the same at λ = 0.5, 0.7, 0.9, within 5 %", "λ = 0.5, 0.7, 0.9"),
        ("no set (λ ≤ 0.42 or ≥ 0.57): at most 0.1 of them", "λ ≤ 0.42 or ≥ 0.57"),
    ):
        assert does_x_help._setting([statement]) == expected
    assert does_x_help._setting(["at λ = 0.6.", "at λ = 0.75, 0.6."]) == "λ = 0.6, 0.75"


def test_ends_of_an_interval_are_told_apart():
    close = judged().assign(measured=0.5271, low=0.52704, high=0.52713)
    table = does_x_help.table(close).set_index("what")
    assert table.loc["momentum 0.9", "training"] == "÷ 0.5271 (0.527 … 0.5271)"


def test_a_cell_stands_only_while_its_claim_has_the_verdict_it_counts_on():
    verdicts = {"A8_grokfast_helps": "confirmed", "A3_decay_no_effect": "contradicted"}
    table = does_x_help.table(judged(**verdicts)).set_index("what")
    assert table.loc["Grokfast, κ = 2", "answer"] == "undecided"
    assert table.loc["weight decay, γ ≪ γ_max", "answer"] == "undecided"
    assert table.loc["momentum 0.9", "answer"] != "undecided"


def test_claims_that_were_not_judged_leave_their_cells_empty():
    claims = judged()
    table = does_x_help.table(claims[~claims["id"].str.startswith("A8-")]).set_index("what")
    assert (table.loc["momentum 0.9", list(does_x_help.CELLS)] == "").all()
    assert table.loc["weight decay, γ ≪ γ_max", "answer"]
    nothing = does_x_help.table(claims.iloc[:0])
    assert (nothing[list(does_x_help.CELLS)] == "").all(axis=None)
    with style.sheet():
        does_x_help.draw(nothing).draw_without_rendering()


@pytest.mark.filterwarnings("error")
def test_columns_of_the_page_do_not_touch():
    with style.sheet():
        figure = does_x_help.draw(does_x_help.table(judged()))
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text()]
    assert max(box.x1 for box in boxes) <= figure.bbox.x1
    for k, one in enumerate(boxes):
        for other in boxes[k + 1 :]:
            assert not one.overlaps(other)
