"""Results know what they are made of: whatever became of Snakemake's notes and of files' times."""

import os
import random
import shutil

import pyarrow.parquet as pq

from linear_grokking.workflow.plan import Plan, read, targets


def shuffle_times(repository):
    """Give every result a time that says nothing."""
    moments = random.Random(1)
    for path in repository.files("results/**/*.*") + repository.files("figures/**/*.*"):
        time = moments.uniform(1e9, 1.5e9)
        os.utime(path, (time, time))


def forget(repository):
    """Delete what Snakemake noted."""
    shutil.rmtree(repository.root / ".snakemake")


def test_nothing_is_made_again_for_want_of_notes(repository):
    forget(repository)
    assert repository.would_do_nothing()
    assert repository.would_do_nothing("--rerun-triggers", "mtime")


def test_no_table_mixes_what_different_requests_made(repository, make, tmp_path):
    forget(repository)
    shuffle_times(repository)
    repository.configure("accuracy_threshold", 0.6)
    repository.configure("experiments.lin.lambda", [0.5, 1.0, 2.0])
    done = repository.build("--rerun-triggers", "mtime")
    assert {job for job in done if job.startswith("train")} == {"train linear/20/0.0 0-3"}

    expected = Plan(read(repository.configuration), tmp_path / "expected")
    make(expected)
    plan = Plan(read(repository.configuration), repository.root)
    compared = [targets.table(plan, each) for each in plan.config.figures]
    compared += [targets.summary(plan, run_id) for run_id in plan.runs]
    for target in compared:
        assert targets.outdated(plan, target) == []
        name = target.outputs[-1]
        assert pq.read_table(repository.root / name).equals(pq.read_table(expected.root / name))
    assert repository.would_do_nothing("--rerun-triggers", "mtime")


def test_an_edit_is_seen_without_notes(repository):
    forget(repository)
    repository.configure("figures.A1.epsilon", [0.01])
    repository.edit(
        "src/linear_grokking/figures/linear_grokking.mplstyle",
        "font.size",
        "lines.linewidth: 2.5\nfont.size",
    )
    assert repository.announced() == {
        *("tabulate A1", "draw A1", "draw A3", "draw B6"),
        "check_claims",
    }


def test_results_that_were_copied_are_used_if_they_are_of_todays_plan(built, fresh):
    for name in ("results", "figures"):
        shutil.copytree(built.root / name, fresh.root / name)
    assert fresh.would_do_nothing()
    # A summary of another threshold, which a colleague's folder may hold.
    fresh.configure("accuracy_threshold", 0.6)
    assert not fresh.would_do_nothing()
