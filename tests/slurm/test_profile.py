"""The profile, as Snakemake reads it, under the settings that docs/cluster.md documents."""

import math
import re
from pathlib import Path

import pytest
from snakemake.profiles import ProfileConfigFileParser

from linear_grokking.config import load_merged
from linear_grokking.jobs import resources
from linear_grokking.jobs.kinds import KINDS
from linear_grokking.workflow.plan import Plan, at_work, read

REPOSITORY = Path(__file__).parents[2]
TRAINING = ("train_block", "measure_separability", "record_outputs", "draw_times")


@pytest.fixture
def profile(monkeypatch):
    for name in settings():
        monkeypatch.delenv(name, raising=False)

    def parse(**environment):
        for name, value in environment.items():
            monkeypatch.setenv(f"GROKKING_SLURM_{name}", value)
        with open(REPOSITORY / "slurm" / "config.yaml") as file:
            return ProfileConfigFileParser().parse(file)

    return parse


def settings():
    return set(re.findall("GROKKING_SLURM_[A-Z_]+", (REPOSITORY / "docs/cluster.md").read_text()))


def test_every_setting_is_documented_in_both_places():
    text = (REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text()
    assert set(re.findall("GROKKING_SLURM_[A-Z_]+", text)) == settings()


def test_the_profile_asks_for_no_gpu_of_its_own(profile):
    found = profile()
    assert not any(re.search("gpu|gres", entry) for entry in found["set-resources"])
    assert not any("gpu" in entry or "slurm" in entry for entry in found["default-resources"])
    assert found["resources"] == ["gpu=500"]
    assert found["slurm-status-command"] == "squeue"
    assert "slurm-exclude-failed-nodes" not in found
    assert "groups" not in found


def test_account_and_places_come_from_the_environment(profile):
    found = profile(
        ACCOUNT="phys-1", PARTITION="short", QOS="low", CONSTRAINT="big", STATUS="sacct", GPUS="0"
    )
    for entry in ("account='phys-1'", "partition='short'"):
        assert f"slurm_{entry}" in found["default-resources"]
    assert {"qos='low'", "constraint='big'"} < set(found["default-resources"])
    assert found["resources"] == ["gpu=0"]
    assert found["slurm-status-command"] == "sacct"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("GPUS", "abc", "a whole number"),
        ("GPUS", "-1", "a whole number"),
        ("GROUP", "0", "at least 1"),
        ("GROUP", "x", "at least 1"),
        ("STATUS", "sstat", "squeue or sacct"),
        ("LONGEST", "0", "minutes"),
        ("LONGEST", "24:00:00", "24h and 2d"),
        ("EXCLUDE", "n[1,3-5],m2", "n1,n2 for n[1-2]"),
        ("GPU_TYPE", "tesla_v100-pcie-32gb", "GPU_CONSTRAINT"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(profile, name, value, says):
    with pytest.raises(SystemExit) as refusal:
        profile(**{name: value})
    assert str(refusal.value).startswith(f"GROKKING_SLURM_{name} = {value}: must be ")
    assert says in str(refusal.value)


def test_jobs_with_a_gpu_may_do_without_what_cpu_jobs_have(profile):
    found = profile(QOS="cpus", CONSTRAINT="big", GPU_QOS="", GPU_CONSTRAINT="nvlink")
    (qos,) = {each for each in found["set-resources"] if ":qos=" in each and "train" in each}
    assert qos.startswith("train_block:qos=None if ") and qos.endswith(" else 'cpus'")
    assert any(":constraint='nvlink' if " in each for each in found["set-resources"])


def test_groups_are_made_where_asked_for(profile):
    found = profile(GROUP="20", LONGEST="24h")
    assert {entry.split("=")[1] for entry in found["group-components"]} == {"20"}
    assert found["resources"] == ["gpu=500", "runtime=24h", "slot=1"]
    # A limit of each job, and not of all together.
    assert "runtime=local" in found["set-resource-scopes"]
    for rule in TRAINING:
        assert f"{rule}:slot=1" in found["set-resources"]


def test_the_workflow_says_nothing_of_clusters():
    files = [REPOSITORY / "Snakefile", *(REPOSITORY / "workflow").rglob("*.smk")]
    files += (REPOSITORY / "workflow").rglob("*.py")
    for path in files:
        assert not re.search("slurm|sbatch|partition", path.read_text(), re.IGNORECASE), path


def test_names_of_jobs_tell_figures_experiment_and_what_tells_runs_apart(monkeypatch):
    runs = {"model": "linear", "d_in": 30, "lambda": [0.5, 1.5], "epsilon": 1e-3, "realizations": 2}
    figure = {
        "dynamics": "grid",
        "times": "grid",
        "epsilon": [1e-3],
        "lambda": {"start": 0.1, "stop": 1.2, "points": 3},
    }
    monkeypatch.setattr(at_work, "_plan", None)
    monkeypatch.setattr(at_work, "_holders", frozenset())
    assert at_work.name("0123456789abcdef", "0-1") == "0123456789abcdef 0-1"
    # The other figure shows one of the runs only, and by another experiment.
    experiments = {"grid": runs, "point": {**runs, "lambda": 0.5}}
    other = {"dynamics": "point", "times": "point", "lambda": [0.5], "d_out": figure["lambda"]}
    figures = {"A1": figure, "A2": other}
    plan = Plan(read({"seed": 1, "experiments": experiments, "figures": figures}))
    at_work.use(plan, gpus=False, named=True)
    first, second = plan.runs
    assert at_work.name(first, "0-1") == "A1,A2 grid lambda=0.5 0-1"
    assert at_work.name(second) == "A1 grid lambda=1.5"


@pytest.fixture
def paper(tmp_path):
    files = [REPOSITORY / "config" / name for name in ("config.yaml", "paper.yaml")]
    return Plan(read(load_merged(files)), tmp_path)


def test_the_papers_sizes_make_fewer_than_3000_jobs(paper):
    blocks = sum(len(paper.block_files(run)) for run in paper.runs)
    # Beside them a summary for each run, two jobs for each figure, and three for all: the
    # manifest, the claims and the report.
    assert blocks + len(paper.runs) + 2 * len(paper.config.figures) + 3 < 3000


def test_the_documented_memory_of_a_gpu_is_that_of_the_cost_model(paper):
    text = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
    [said] = re.findall(r"needs (\d+) GB\s+of.*?, (\d+) GB for.*?(\d+) GB for", text, re.DOTALL)
    runs = [run for run in paper.runs.values() if run.kind.on_gpu]
    parts = (
        runs,
        [run for run in runs if run.kind.measure == "dynamics"],
        [run for run in runs if run.spec["n_train"] <= 4000],
    )
    needed = [max(resources.gpu_memory_mb(run.cost) for run in part) / 1000 for part in parts]
    assert [math.ceil(each) for each in needed] == [int(each) for each in said]


def test_the_documented_kinds_are_those_of_the_code(paper):
    text = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*`.*) \| (`.*`) \| (yes|no) \| (.*) \|$", text, re.MULTILINE)
    hours = dict.fromkeys(KINDS, 0.0)
    for run_id, run in paper.runs.items():
        hours[run.kind] += sum(run.seconds(file, gpu=False) for file in paper.block_files(run_id))
    documented = []
    for what, solvers, answer, why in rows:
        kinds = [
            kind
            for kind in KINDS
            if f"`{kind.model}`" in what
            and f"`{kind.solver}`" in solvers
            and (kind.data == "deferred") == ("deferred" in what)
        ]
        assert kinds and {kind.on_gpu for kind in kinds} == {answer == "yes"}, what
        documented += kinds
        for share in re.findall(r"(\d+) % of all core-hours", why):
            assert round(100 * sum(map(hours.get, kinds)) / sum(hours.values())) == int(share), what
    assert sorted(map(KINDS.index, documented)) == list(range(len(KINDS)))
