"""A small copy of the repository whose workflow takes seconds, and what ran in it."""

import copy
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import snakemake_server
import yaml
from copies import REPOSITORY, copy_workflow, environment, jobs

from linear_grokking.workflow.plan import Plan, read

CONFIGURATION = {
    "seed": 1,
    "device": "cpu",
    "experiments": {
        "lin": {
            "model": "linear",
            "d_in": 20,
            "lambda": [0.5, 2.0],
            "realizations": 4,
            "n_gen": 50,
            "t_max": 1000.0,
            "records": 20,
        },
        "decay": {
            "model": "linear",
            "d_in": 20,
            "lambda": 0.5,
            "gamma": [0.001, 0.01],
            "realizations": 2,
            "n_gen": 50,
            "t_max": 1000.0,
            "records": 20,
        },
        "sets": {"measure": "separability", "n_train": 20, "d": [6, 14], "realizations": 6},
        "flow": {
            "model": "logistic",
            "n_train": 20,
            "d": 6,
            "t_max": 1000.0,
            "records": 20,
            "realizations": 2,
        },
        "points": {"model": "two_point", "lambda": 0.4, "t_max": 1000.0, "records": 20},
    },
    "figures": {
        "A1": {
            "dynamics": "lin",
            "times": "lin",
            "epsilon": [0.001],
            "lambda": {"start": 0.3, "stop": 1.2, "points": 2},
        },
        "A3": {
            "dynamics": "decay",
            "times": "decay",
            "above_one": "decay",
            "lambda": [0.5],
            "gamma": {"start": 0.001, "stop": 0.01, "points": 2},
        },
        "B6": {
            "statistics": "sets",
            "margins": "sets",
            "lambda": {"start": 0.3, "stop": 0.45, "points": 2},
        },
    },
}


@dataclass(frozen=True)
class Outcome:
    """What a call of Snakemake did."""

    returncode: int
    output: str
    jobs: frozenset[tuple[str, ...]]
    """Rule and output files of each job that started (or, in a dry run, would)."""


class Repository:
    """A copy of the repository in a folder of its own, with a small configuration."""

    def __init__(self, root: Path):
        self.root = root
        self.configuration = copy.deepcopy(CONFIGURATION)
        self._ticks = 0

    def write_configuration(self, text: str | None = None) -> None:
        path = self.root / "config" / "config.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text or yaml.safe_dump(self.configuration, sort_keys=False))

    def configure(self, path: str, value: Any) -> None:
        """Set one value of the configuration; a path is written with dots."""
        *parents, last = path.split(".")
        node = self.configuration
        for part in parents:
            node = node[part]
        node[last] = value
        self.write_configuration()

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file; each edit gives the file a later time than the one before."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{name} does not contain {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        self._ticks += 2
        now = time.time() + self._ticks
        os.utime(path, (now, now))

    def environment(self) -> dict[str, str]:
        return environment(self.root)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start Snakemake as a user does: it and its jobs are of one group of processes."""
        command = [sys.executable, "-m", "snakemake"]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.root,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, cores: int = 2, timeout_s: float = 300) -> Outcome:
        given = ["--cores", str(cores), *arguments]
        code, said = snakemake_server.run(given, self.root, self.environment(), timeout_s)
        return Outcome(code, said, frozenset(jobs(said)))

    def would_do_nothing(self, *arguments: str) -> bool:
        """Tell whether a dry run announces no job."""
        announced = self.snakemake("--dry-run", *arguments)
        assert announced.returncode == 0, announced.output
        return not announced.jobs and "Nothing to be done" in announced.output

    def announced(self, *arguments: str) -> set[str]:
        """Return the jobs that a dry run announces in words: ``"train linear/40/0.0 0-3"``."""
        announced = self.snakemake("--dry-run", *arguments)
        assert announced.returncode == 0, announced.output
        return {self.in_words(*job) for job in announced.jobs}

    def build(self, *arguments: str, cores: int = 2) -> set[str]:
        """Run the workflow, after a dry run that must announce just what then happens.

        Returns the jobs in words.
        """
        announced = self.snakemake("--dry-run", *arguments, cores=cores)
        assert announced.returncode == 0, announced.output
        done = self.snakemake(*arguments, cores=cores)
        assert done.returncode == 0, done.output
        assert announced.jobs == done.jobs
        self.said = announced.output + done.output
        return {self.in_words(*job) for job in done.jobs}

    def cli(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [snakemake_server.programs() / "linear-grokking", *arguments],
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def in_words(self, rule: str, *outputs: str) -> str:
        path = Path(outputs[0])
        words = {
            "train_block": "train",
            "measure_separability": "train",
            "summarize_run": "summarize",
            "tabulate_figure": "tabulate",
            "draw_figure": "draw",
        }
        if rule in {"train_block", "measure_separability"}:
            return f"train {self.run(path)} {path.stem}"
        if rule == "summarize_run":
            return f"summarize {self.run(path)}"
        return f"{words[rule]} {path.stem}" if rule in words else rule

    def run(self, path: Path) -> str:
        """Name the run of a block, or of a summary, by its spec.

        For a file that is not made yet, the spec is found in the plan by this process's code;
        the copy's code must not have been edited.
        """
        if (self.root / path).exists():
            request = json.loads(pq.read_schema(self.root / path).metadata[b"spec"])
            spec = request.get("spec", request)
        else:
            spec = next(
                run.spec
                for run_id, run in Plan(read(self.configuration)).runs.items()
                if run_id in path.parts or run_id == path.stem
            )
        if spec["measure"] == "separability":
            return f"sets/{spec['d']}"
        if spec["model"] == "linear":
            return f"linear/{spec['n_train']}/{spec['gamma']}"
        return {"logistic": "flow", "two_point": "points"}[spec["model"]]

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.root.glob(pattern))

    def history(self, run: str) -> Path:
        """Return the first block of a run."""
        blocks = [*self.files("results/histories/*/*.parquet")]
        blocks += self.files("results/separability/*/*.parquet")
        return next(path for path in blocks if self.run(path.relative_to(self.root)) == run)

    def summary(self, run: str) -> Path:
        return self.root / "results/summaries" / f"{self.history(run).parent.name}.parquet"

    def data(self) -> dict[str, Any]:
        """Return the contents of every Parquet file, without metadata and times.

        Files whose names begin with a dot are left out: a killed write may leave them.
        """
        tables = {
            str(path.relative_to(self.root)): pq.read_table(path).replace_schema_metadata(None)
            for path in self.files("**/*.parquet")
            if not path.name.startswith(".")
        }
        manifest = tables.get("results/runs.parquet")
        if manifest is not None:
            tables["results/runs.parquet"] = manifest.drop_columns("seconds")
        return tables


def copy_repository(source: Path, root: Path) -> Repository:
    """Copy what the workflow consists of, with a configuration."""
    copy_workflow(root, source)
    repository = Repository(root)
    repository.write_configuration()
    return repository


@pytest.fixture(scope="session")
def built(once) -> Repository:
    """Return a copy with everything built, shared by all workers; not to be changed."""

    def fill(root: Path) -> None:
        done = copy_repository(REPOSITORY, root).build()
        (root / "first_build.json").write_text(json.dumps(sorted(done)))

    return Repository(once("built", fill))


@pytest.fixture
def repository(built, tmp_path) -> Repository:
    """Return a private copy with everything built."""
    root = tmp_path / "repo"
    shutil.copytree(built.root, root, symlinks=True)
    return Repository(root)


@pytest.fixture
def fresh(built, tmp_path) -> Repository:
    """Return a copy with nothing built, of the same sources as `built`."""
    root = tmp_path / "repo"
    root.mkdir()
    return copy_repository(built.root, root)
