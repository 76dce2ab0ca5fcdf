"""README.md: every figure with its picture, title and target; commands and links that exist."""

import re
import tomllib
from pathlib import Path

import pytest

from linear_grokking import cli
from linear_grokking import load as load_results
from linear_grokking.config import load, load_merged
from linear_grokking.figures.registry import title
from linear_grokking.workflow.plan import Plan, read
from linear_grokking.workflow.plan.forecast import forecast
from linear_grokking.workflow.shipping import CONFIGURATIONS

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
FIGURES = list(read(load(REPOSITORY / "config" / "config.yaml")).figures)


def test_the_table_lists_every_figure_as_its_module_calls_it():
    row = r'^\| .*alt="(\w+)".* \| (.*) \| `snakemake -c2 (\w+)` \| \d'
    rows = re.findall(row, README, re.MULTILINE)
    assert [row[0] for row in rows] == FIGURES
    assert all(target == figure for figure, _, target in rows)
    assert [row[1] for row in rows] == [title(figure) for figure in FIGURES]


def minutes(text):
    number, unit = text.split()
    return float(number) / {"s": 60, "min": 1}[unit]


def test_training_takes_as_long_as_the_plan_says(tmp_path):
    plan = Plan(read(load(REPOSITORY / "config" / "config.yaml")), tmp_path)
    *figures, together = (60 * each.core_hours for each in forecast(plan, gpus=False))
    told = re.findall(r"^\| .*\| `snakemake -c2 \w+` \| (.*) \|$", README, re.MULTILINE)
    assert [minutes(each) for each in told] == pytest.approx(figures, rel=0.05, abs=0.01)
    assert f"an estimated {round(together)} minutes on one core" in " ".join(README.split())


def test_what_is_left_at_the_papers_sizes_takes_as_long_as_the_plan_says():
    there = REPOSITORY / "docs" / "paper_size"
    plan = Plan(read(load_merged(CONFIGURATIONS["paper"])), there)
    left = [name for name in plan.config.figures if not (there / f"{name}.png").exists()]
    [(told, named)] = re.findall(
        r'an estimated (\d+) core-hours: `make paper-size` with `FIGURES="([^"]+)"`',
        " ".join(README.split()),
    )
    assert named.split() == left
    runs = {run_id for name in left for run_id in plan.figure_runs(name)}
    blocks = [(run_id, file) for run_id in runs for file in plan.block_files(run_id)]
    seconds = (plan.runs[i].seconds(f, gpu=False) for i, f in blocks if not (there / f).exists())
    assert int(told) == pytest.approx(sum(seconds) / 3600, abs=0.5)


@pytest.mark.parametrize("figure", FIGURES)
def test_the_numbers_of_every_figure_come_with_the_repository(figure):
    table = load_results.table(figure, root=REPOSITORY, size="config")
    assert table.attrs["spec"]["figure"] == figure and table.attrs["provenance"]["revision"]
    assert table[["x", "y"]].notna().any().all()


def test_the_verdicts_are_those_that_come_with_the_repository():
    claims = load_results.claims(root=REPOSITORY, size="config")
    assert "units" in claims.attrs and not claims[["note", "run_ids"]].isna().any(axis=None)
    counts = claims["verdict"].value_counts()
    disagree = claims[(claims["disagreement"] != "") & (claims["verdict"] != "confirmed")]
    told = (
        f"{counts['confirmed']} of {len(claims)} on the {len(FIGURES)} figures are confirmed, and "
        f"{counts.get('undecided', 0)} undecided"
    )
    text = " ".join(README.split())
    assert told in text and f"The other {len(disagree)} are five different things" in text
    table = README.partition("| what does not agree |")[2].partition("\n\n")[0]
    rows = [sum(map(int, re.findall(r"\| (\d+)", line))) for line in table.splitlines()[2:]]
    assert sorted(rows) == sorted(disagree["disagreement"].value_counts())


def test_it_leads_to_every_figure_that_is_there_at_the_papers_sizes():
    there = {path.name for path in (REPOSITORY / "docs" / "paper_size").glob("*.png")}
    assert set(re.findall(r"\]\(docs/paper_size/([^)]+png)", README)) == there


MEASURED = (
    "logistic N=400, d=192, to t=1e6, 200 records | nn.Linear",
    "logistic N=4000, d=1920, to t=1e6 | tuned",
    "linear d=1000, N=500, d_out=50,",
    "two layers 1000-200-5",
    "separable or not, with S_inf and certificate, N=400",
    "logistic 20000x9600",
)
"""How rows of the benchmarks begin, in the order of the README's table."""


def test_speeds_are_those_of_the_benchmarks():
    section = README.partition("## How fast")[2].partition("\n## ")[0]
    told = re.findall(r"\| ([\d,.]+) \|$", section, re.MULTILINE)
    benchmarks = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    for number, beginning in zip(told, MEASURED, strict=True):
        [row] = [line for line in benchmarks if line.startswith(f"| {beginning}")]
        [(low, high)] = re.findall(r"\(([\d,.]+) ?[×%]–([\d,.]+) ?[×%]\)", row)
        factor, *ends = (float(each.replace(",", "")) for each in (number, low, high))
        share = 100 if factor < 1 else 1
        assert ends[0] <= share * factor <= ends[1], row


def test_links_and_pictures_lead_to_files():
    links = re.findall(r'\]\(([^)#]+)|(?:src|href)="([^"]+)"', README)
    paths = {one or other for one, other in links if not (one or other).startswith("http")}
    assert len(paths) > 30
    assert [path for path in sorted(paths) if not (REPOSITORY / path).exists()] == []


def test_commands_exist():
    [known] = [action.choices for action in cli._parser()._actions if action.choices]
    assert set(re.findall(r"`linear-grokking ([a-z-]+)", README)) <= set(known)
    targets = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    assert targets <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for overlay in re.findall(r"config/\w+\.yaml", README):
        assert (REPOSITORY / overlay).exists()


@pytest.mark.parametrize(("page", "fewest"), [("theory", 100), ("errata", 50)])
def test_formulas_survive_markdown(page, fewest):
    text = (REPOSITORY / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert text.count("$") % 2 == 0
    formulas = re.findall(r"\$\$.+?\$\$|\$[^$]+\$", text, re.DOTALL)
    assert len(formulas) > fewest
    # Markdown takes the backslash off before punctuation: \, would arrive as a comma.
    assert [each for each in formulas if re.search(r"\\[!-/:-@\[-`{-~]", each)] == []
    # Inline, no space inside the dollars and no letter or digit outside of them.
    inline = re.sub(r"\$\$.+?\$\$", "", text, flags=re.DOTALL)
    for found in re.finditer(r"(.)\$([^$]+)\$(.)", inline, re.DOTALL):
        before, formula, after = found.groups()
        assert formula == formula.strip() and not (before + after).isalnum(), formula


def test_rooms_stand_on_the_floors_that_the_linter_checks():
    """Those of pyproject.toml that are folders: modules beside them are no rooms."""
    told = [
        (int(floor), set(re.findall(r"`(\w+)`", rooms)))
        for floor, rooms in re.findall(r"^\| (\d+) \| ((?:`\w+`(?:, )?)+) \|", README, re.MULTILINE)
    ]
    with open(REPOSITORY / "pyproject.toml", "rb") as file:
        contract = tomllib.load(file)["tool"]["importlinter"]["contracts"][0]
    source = REPOSITORY / "src" / "linear_grokking"
    layers = [set(layer.split(" | ")) for layer in contract["layers"]]
    floors = [{room for room in layer if (source / room).is_dir()} for layer in layers]
    checked = list(enumerate(reversed([rooms for rooms in floors if rooms])))
    assert told == checked[::-1]
    assert sum(len(rooms) for _, rooms in told) == 14 and "Its fourteen rooms" in README
