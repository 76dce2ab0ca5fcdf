"""Captions: each is filled in from its figure's request, and names what was configured."""

from pathlib import Path

import pytest

from linear_grokking.config import load
from linear_grokking.figures.registry import figure_ids
from linear_grokking.report.captions import Values, caption, caption_text, category
from linear_grokking.workflow.plan import Plan, read, targets

REPOSITORY = Path(__file__).parents[3]
PARTS = {"A": "Paper A, linear", "B": "Paper B, logistic", "C": "Beyond both"}


@pytest.fixture(scope="module")
def requests():
    raw = load(REPOSITORY / "config" / "config.yaml")
    plan = Plan(read({**raw, "accuracy_threshold": 0.6, "loss_threshold": 0.0123}))
    return {each: targets.table(plan, each).request for each in plan.config.figures}


@pytest.mark.parametrize("figure_id", figure_ids())
def test_captions_are_filled_in_and_say_what_the_picture_shows(requests, figure_id):
    made = caption(requests[figure_id])
    assert "**Look for**" in made.text and "{" not in made.text
    assert len(made.alt) > 40 and made.alt not in made.text
    assert len(made.beside) > 60 and made.beside not in made.text
    # A figure of ours, whose title names no figure of theirs, says what the papers leave open.
    theirs = made.title.replace("beyond Paper", "")
    assert made.is_ours == ("Paper" not in theirs and "ICML" not in theirs)
    assert category(figure_id).startswith(PARTS[figure_id[0]])


def test_captions_name_the_configured_thresholds(requests):
    texts = {figure_id: caption(request).text for figure_id, request in requests.items()}
    assert [figure_id for figure_id, text in texts.items() if "95 %" in text] == []
    assert "ε = 0.0123" in texts["B8"]


def test_captions_say_how_many_realizations_are_compared():
    runs = [{"realizations": n, "parameters": {"b0": b0}} for n, b0 in ((5, 0), (3, -2))]
    values = Values(runs)
    assert (values["realizations"], values["common_realizations"]) == ("5, 3", "3")
    assert values["b0"] == "0, −2"
    assert values["condition"] == "–"


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        ({"solver": "gradient_flow", "gd_steps": 0}, "gradient flow"),
        (
            {"solver": "gradient_flow", "gd_steps": 200},
            "gradient descent for 200 steps, then its flow",
        ),
        ({"solver": "gradient_descent"}, "gradient descent"),
        ({"solver": "adam"}, "Adam"),
    ],
)
def test_captions_say_how_runs_were_computed(solver, told):
    values = Values([{"realizations": 3, "parameters": solver}])
    assert values["method"] == told
    assert values["how"] == f"medians and quartiles of 3 draws; {told}"


def test_captions_name_no_parameter_that_their_runs_do_not_have(requests, monkeypatch):
    monkeypatch.setattr("linear_grokking.report.captions.ABSENT", "absent")
    assert [each for each, request in requests.items() if "absent" in caption(request).text] == []


def test_a_figure_without_a_text_names_its_runs(requests, monkeypatch, tmp_path):
    monkeypatch.setattr("linear_grokking.report.captions.FOLDER", tmp_path)
    made = caption(requests["B10"])
    assert made.text.startswith(made.title)
    assert "*adam*: 3 runs" in made.text


@pytest.mark.parametrize("template", ["{{ nothing.sigma }}", "{{ adam.nothing }}"])
def test_a_text_that_names_what_is_not_there_is_refused(requests, monkeypatch, tmp_path, template):
    monkeypatch.setattr("linear_grokking.report.captions.FOLDER", tmp_path)
    (tmp_path / "B10.rst").write_text(template)
    with pytest.raises(ValueError, match=r"B10\.rst.*nothing"):
        caption(requests["B10"])


def test_snakemakes_own_report_says_what_the_papers_figure_shows(requests):
    text = caption_text(requests["A2"])
    assert "*What the paper’s figure shows*: Losses and accuracies" in text
    assert "*What the papers leave open*: Paper A trains" in caption_text(requests["A8"])
