"""Grids of any size: requests that are longer than an argument of a program may be."""

import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from linear_grokking.config.experiments.base import MAX_GRID
from linear_grokking.workflow.plan import Plan, read, targets

LONGEST_ARGUMENT = 2**17
"""Bytes of one argument on Linux."""


def configure(repository, runs):
    """Have one figure of that many tiny sets, which two experiments share."""
    axes = {"d": list(range(1, 51)), "sigma": [1 + k / 100 for k in range(runs // 50)]}
    sets = {"measure": "separability", "n_train": 2, "realizations": 1, **axes}
    repository.configuration["experiments"] = {"sets": sets, "margins": sets}
    figures = repository.configuration["figures"]
    repository.configuration["figures"] = {"B6": figures["B6"] | {"margins": "margins"}}
    repository.write_configuration()
    return Plan(read(repository.configuration), repository.root)


@pytest.mark.parametrize("runs", [250, pytest.param(MAX_GRID, marks=pytest.mark.long)])
def test_many_runs_are_listed_and_drawn_in_one_figure(repository, make, runs):
    plan = configure(repository, runs)
    make(plan)
    long = (targets.manifest(plan), targets.table(plan, "B6"))
    assert min(len(json.dumps(target.request)) for target in long) > LONGEST_ARGUMENT
    names = [target.outputs[-1] for target in long]
    made = [pq.read_table(repository.root / name) for name in names]
    for name in names:
        (repository.root / name).unlink()

    picture = targets.pictures(plan, "B6").outputs[-1]
    done = repository.snakemake(*names, picture, timeout_s=3600)
    assert done.returncode == 0, done.output
    assert {rule for rule, *_ in done.jobs} == {"list_runs", "tabulate_figure", "draw_figure"}
    assert [pq.read_table(repository.root / name) for name in names] == made


@pytest.mark.long
def test_thousands_of_runs_go_through_all_rules(repository, tmp_path, make):
    runs = 2000
    plan = configure(repository, runs)
    done = repository.snakemake(timeout_s=7200)
    assert done.returncode == 0, done.output
    ran = Counter(rule for rule, *_ in done.jobs)
    assert ran["measure_separability"] == ran["summarize_run"] == runs
    assert repository.would_do_nothing()

    listed = pq.read_table(repository.root / targets.manifest(plan).outputs[-1])
    assert sorted(listed["run_id"].to_pylist()) == sorted([*plan.runs] * 2)
    alone = Plan(plan.config, tmp_path)
    make(alone)
    table = targets.table(plan, "B6").outputs[-1]
    assert pq.read_table(repository.root / table) == pq.read_table(tmp_path / table)
