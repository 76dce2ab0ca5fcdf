"""The plan: from a configuration and what is on disk to runs, blocks, tables and figures."""

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from linear_grokking.config import ConfigurationError
from linear_grokking.jobs import costs
from linear_grokking.jobs.costs import Cost
from linear_grokking.jobs.kinds import Kind, kind_of, run_id
from linear_grokking.results.identity import FOLDERS, Block, blocks, blocks_in, canonical
from linear_grokking.results.storage import damage
from linear_grokking.workflow.plan.configuration import Config

logger = logging.getLogger(__name__)

MAX_JOBS = 50_000
"""Most blocks that a configuration may cut its runs into; Snakemake gets slow before."""


@dataclass(frozen=True)
class Run:
    """One grid point of an experiment, all parameters fixed.

    Attributes
    ----------
    spec
        What the numbers depend on.
    run_id
        Identity: hash of spec and code.
    realizations
        How many are wanted: the most that any experiment asks of this spec.
    block
        Realizations per job.
    on_gpu
        Whether its jobs compute on a GPU, as far as the configuration says.
    """

    spec: Mapping[str, Any]
    run_id: str
    realizations: int
    block: int
    on_gpu: bool

    @property
    def kind(self) -> Kind:
        """What is known of such runs."""
        return kind_of(self.spec)

    @cached_property
    def cost(self) -> Cost:
        """What one realization costs."""
        return self.kind.cost(self.spec)

    @property
    def folder(self) -> str:
        """Folder of the run's blocks."""
        return f"results/{FOLDERS[self.spec['measure']]}/{self.run_id}"

    def memory_mb(self, *, gpu: bool) -> int:
        """Return the host memory of a job, on a machine with a GPU or without."""
        return costs.job_memory_mb(self.cost, gpu=gpu and self.kind.on_gpu)

    @property
    def gpu_memory_mb(self) -> int:
        """The least GPU memory of a job; free memory beyond it makes larger batches."""
        return costs.gpu_memory_mb(self.cost) if self.kind.on_gpu else 0

    def seconds(self, block: str, *, gpu: bool) -> float:
        """Return the expected time of the job that makes one of the run's files, or blocks."""
        cut = Block.parse(Path(block).stem)
        return costs.job_seconds(self.cost, cut.last - cut.first + 1, gpu=gpu)


@dataclass(frozen=True)
class Point:
    """A grid point of an experiment: its parameters and the run that computes it."""

    parameters: dict[str, Any]
    run_id: str


class Plan:
    """Everything the workflow needs to know, computed once when its rules are read.

    Parameters
    ----------
    config
        The validated configuration.
    root
        Folder that holds results/ and figures/.

    Raises
    ------
    ConfigurationError
        If the configuration makes more jobs than Snakemake can handle.
    """

    def __init__(self, config: Config, root: Path = Path()):
        self.config = config
        self.root = root
        self.runs: dict[str, Run] = {}
        self.points: dict[str, list[Point]] = {}
        for name, experiment in config.experiments.items():
            self.points[name] = []
            for point in experiment.grid(config.seed):
                identity = run_id(point.spec)
                self.points[name].append(Point(point.parameters, identity))
                known = self.runs.get(identity)
                kind = kind_of(point.spec)
                on_gpu = config.device == "cuda" and kind.on_gpu
                cost = kind.cost(point.spec)
                self.runs[identity] = Run(
                    point.spec,
                    identity,
                    max(experiment.realizations, known.realizations if known else 0),
                    experiment.block or costs.block_size(cost, config.job_minutes, gpu=on_gpu),
                    on_gpu,
                )
        jobs = sum(math.ceil(run.realizations / run.block) for run in self.runs.values())
        if jobs > MAX_JOBS:
            raise ConfigurationError(
                f"the experiments make {jobs} jobs; at most {MAX_JOBS} are allowed: "
                "raise block or job_minutes, or lower realizations"
            )

    manifest_file = "results/runs.parquet"

    def spec(self, run_id: str) -> str:
        """Return the canonical spec of a run."""
        return canonical(self.runs[run_id].spec)

    def block_files(self, run_id: str) -> list[str]:
        """Return the files that hold a run's realizations, on disk or to be computed."""
        return self._block_files[run_id]

    @cached_property
    def _block_files(self) -> dict[str, list[str]]:
        files = {}
        for identity, run in self.runs.items():
            cut = blocks(run.realizations, run.block, blocks_in(self.root / run.folder))
            files[identity] = [f"{run.folder}/{block}.parquet" for block in cut]
        return files

    def set_aside_damaged(self, say: Callable[[str], None] = logger.warning) -> list[Path]:
        """Rename files that cannot be what their names say, so that they are made again.

        Nothing is deleted: ``0-99.parquet`` becomes ``0-99.parquet.damaged``.  Files that
        are older than the manifest were whole when it was made; of them only the footer is
        looked at.
        """
        manifest = self.root / self.manifest_file
        checked = manifest.stat().st_mtime if manifest.exists() else -math.inf
        aside = []
        for name, expected in self._expected():
            path = self.root / name
            if not path.exists():
                continue
            problem = damage(path, whole=path.stat().st_mtime >= checked, **expected)
            if problem:
                say(f"{path}: {problem}; set aside as {path.name}.damaged, making it again")
                path.replace(path.with_name(path.name + ".damaged"))
                aside.append(path)
        if aside:
            del self._block_files
        return aside

    def _expected(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield every Parquet file of the plan, with what is known of its contents.

        The spec of a figure's table may be an earlier configuration's: that is no damage.
        """
        for identity, run in self.runs.items():
            spec = self.spec(identity)
            for name in self.block_files(identity):
                yield name, {"spec": spec, "schema": run.kind.schema}
            for name in self.summary_files(identity):
                yield name, {"spec": spec}
        for name in self.tables():
            yield name, {}
        yield self.manifest_file, {}

    def summary_files(self, run_id: str) -> list[str]:
        """Return the files of a run's summary and of its scalars."""
        return [f"results/{folder}/{run_id}.parquet" for folder in ("summaries", "scalars")]

    def block_request(self, run_id: str, block: str) -> str:
        """Return, as canonical JSON, what a block is computed from."""
        return canonical({"spec": self.runs[run_id].spec, "block": block})

    def summary_request(self, run_id: str) -> str:
        """Return, as canonical JSON, all that a run's summary is made from."""
        run = self.runs[run_id]
        request = {"spec": run.spec, "folder": run.folder, "realizations": run.realizations}
        timed = run.spec["measure"] == "dynamics"
        return canonical(request | (self._thresholds if timed else {}))

    @property
    def _thresholds(self) -> dict[str, float]:
        config = self.config
        return {"threshold": config.accuracy_threshold, "loss_threshold": config.loss_threshold}

    def figure_points(self, figure_id: str) -> dict[str, list[Point]]:
        """Return the grid points that a figure is drawn from, by role."""
        options = self.config.figures[figure_id]
        return {role: self.points[name] for role, name in options.experiments().items()}

    def figure_runs(self, figure_id: str) -> list[str]:
        """Return the runs that a figure is drawn from, each once."""
        points = self.figure_points(figure_id).values()
        return list(dict.fromkeys(point.run_id for role in points for point in role))

    def drawn_runs(self) -> list[str]:
        """Return the runs that any figure is drawn from, each once."""
        drawn = [run_id for figure in self.config.figures for run_id in self.figure_runs(figure)]
        return list(dict.fromkeys(drawn))

    def figure_request(self, figure_id: str) -> str:
        """Return, as canonical JSON, all that a figure's table is made from."""
        return canonical(
            {
                "figure": figure_id,
                "options": self.config.figures[figure_id].model_dump(mode="json", by_alias=True),
                **self._thresholds,
                "runs": {
                    role: [
                        {
                            "run_id": point.run_id,
                            "parameters": point.parameters,
                            "realizations": self.runs[point.run_id].realizations,
                        }
                        for point in points
                    ]
                    for role, points in self.figure_points(figure_id).items()
                },
            }
        )

    def upstream(self, run_ids: Iterable[str]) -> list[str]:
        """Return the summaries, scalars and blocks of runs."""
        return [
            name
            for identity in run_ids
            for name in (*self.summary_files(identity), *self.block_files(identity))
        ]

    def tables(self) -> list[str]:
        """Return the tables of all figures."""
        return [f"figures/tables/{figure_id}.parquet" for figure_id in self.config.figures]

    def figure_files(self, figure_id: str | None = None) -> list[str]:
        """Return the files of a figure (by default of all): PDF, PNG and table.

        The papers' tables, BT1 and its like, come as CSV too.
        """
        chosen = self.config.figures if figure_id is None else [figure_id]
        files = []
        for each in chosen:
            files += [f"figures/{each}.pdf", f"figures/{each}.png"]
            files.append(f"figures/tables/{each}.parquet")
            if each.startswith("BT"):
                files.append(f"figures/tables/{each}.csv")
        return files

    def chain(self, figure_id: str) -> list[str]:
        """Return a figure's files and everything that they are made from."""
        return self.figure_files(figure_id) + self.upstream(self.figure_runs(figure_id))

    def manifest_request(self) -> str:
        """Return, as canonical JSON, the experiments and figures that each run serves.

        Experiments come by name, so that their order in the configuration is irrelevant.
        """
        users: dict[str, list[str]] = {identity: [] for identity in self.runs}
        for figure_id in self.config.figures:
            for identity in self.figure_runs(figure_id):
                users[identity].append(figure_id)
        runs = [
            {
                "run_id": point.run_id,
                "experiment": name,
                "figures": users[point.run_id],
                "parameters": point.parameters,
                "realizations": self.runs[point.run_id].realizations,
                "folder": self.runs[point.run_id].folder,
            }
            for name, points in sorted(self.points.items())
            for point in points
        ]
        return canonical({"runs": runs})
