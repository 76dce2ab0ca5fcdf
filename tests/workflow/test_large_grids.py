"""Grids of any size: requests that are longer than an argument of a program may be."""

import json

import pyarrow.parquet as pq
import pytest

from linear_grokking.config.experiments import MAX_GRID
from linear_grokking.workflow.plan import Plan, read, targets

LONGEST_ARGUMENT = 2**17
"""Bytes of one argument on Linux."""


@pytest.mark.parametrize("runs", [600, pytest.param(MAX_GRID, marks=pytest.mark.long)])
def test_many_runs_are_listed_and_drawn_in_one_figure(repository, make, runs):
    axes = {"d": list(range(1, 101)), "sigma": [1 + k / 100 for k in range(runs // 100)]}
    sets = {"measure": "separability", "n_train": 2, "realizations": 1, **axes}
    repository.configuration["experiments"] = {"sets": sets}
    figures = repository.configuration["figures"]
    repository.configuration["figures"] = {"B6": figures["B6"]}
    repository.write_configuration()
    plan = Plan(read(repository.configuration), repository.root)
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
