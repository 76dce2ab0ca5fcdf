"""The plan: the runs of a configuration and their blocks, given what is on disk."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from linear_grokking.config import ConfigurationError
from linear_grokking.jobs import resources
from linear_grokking.jobs.costs import Cost
from linear_grokking.jobs.kinds import Kind, kind_of, run_id
from linear_grokking.results.identity import FOLDERS, Block, blocks, blocks_in
from linear_grokking.workflow.plan.configuration import Config
from linear_grokking.workflow.plan.disk import Disk

MAX_JOBS = 50_000
"""Largest number of blocks of a configuration; Snakemake gets slow even below it."""


@dataclass(frozen=True)
class Run:
    """One grid point of an experiment, all parameters fixed.

    Attributes
    ----------
    spec
        The parameters on which the numbers depend.
    run_id
        Identity: hash of spec and code.
    realizations
        Number of realizations: the most that any experiment asks for with this spec.
    block
        Realizations per job: the fewest that any experiment asks for with this spec.
    device
        Where it is computed, as the configuration names it.
    """

    spec: Mapping[str, Any]
    run_id: str
    realizations: int
    block: int
    device: str

    @property
    def kind(self) -> Kind:
        """The kind of run, with its solver, schema and cost model."""
        return kind_of(self.spec)

    @cached_property
    def cost(self) -> Cost:
        """What one realization costs."""
        return self.kind.cost(self.spec)

    @property
    def folder(self) -> str:
        """Folder of the run's blocks."""
        return f"results/{FOLDERS[self.spec['measure']]}/{self.run_id}"

    def file(self, block: Block) -> str:
        """Return the file of one of its blocks."""
        return f"{self.folder}/{block}.parquet"

    def takes_gpu(self, *, present: bool) -> bool:
        """Return whether its jobs compute on a GPU, if GPUs are present or not."""
        return self.kind.on_gpu and (self.device == "cuda" or (self.device == "auto" and present))

    def seconds(self, block: str, *, gpu: bool) -> float:
        """Return the expected time, in seconds, of the job that makes one of the run's blocks.

        Parameters
        ----------
        block
            The block, as ``first-last``, or its file.
        gpu
            Whether the job has a GPU.
        """
        cut = Block.parse(Path(block).stem)
        return resources.job_seconds(self.cost, cut.last - cut.first + 1, gpu=gpu)


@dataclass(frozen=True)
class Point:
    """A grid point of an experiment: its parameters and the run that computes it."""

    parameters: dict[str, Any]
    run_id: str


class Plan:
    """Everything that the workflow needs to know, computed once when its rules are read.

    Parameters
    ----------
    config
        The validated configuration.
    root
        Folder that holds results/ and figures/.
    sources
        Where the configuration comes from: files, and values given on the command line.
    trusted
        Whether to take files on disk for what their names say (`Disk`).

    Raises
    ------
    ConfigurationError
        If the configuration makes more jobs than Snakemake can handle.
    """

    def __init__(
        self,
        config: Config,
        root: Path = Path(),
        *,
        sources: Sequence[str] = (),
        trusted: bool = False,
    ):
        self.config = config
        self.root = root
        self.sources = tuple(sources)
        self.disk = Disk(root, trusted=trusted)
        self._block_files: dict[str, list[str]] = {}
        self.runs: dict[str, Run] = {}
        self.points: dict[str, list[Point]] = {}
        asked: dict[str, int] = {}
        for name, experiment in config.experiments.items():
            self.points[name] = []
            for point in experiment.grid(config.seed, config.accuracy_threshold):
                identity = run_id(point.spec)
                self.points[name].append(Point(point.parameters, identity))
                known = self.runs.get(identity)
                kind = kind_of(point.spec)
                cost = kind.cost(point.spec)
                # Blocks must not depend on the machine that plans.
                gpu = kind.on_gpu and config.device == "cuda"
                if experiment.block:
                    asked[identity] = min(experiment.block, asked.get(identity, experiment.block))
                self.runs[identity] = Run(
                    point.spec,
                    identity,
                    max(experiment.realizations, known.realizations if known else 0),
                    asked.get(identity) or resources.block_size(cost, config.job_minutes, gpu=gpu),
                    config.device,
                )
        jobs = sum(math.ceil(run.realizations / run.block) for run in self.runs.values())
        if jobs > MAX_JOBS:
            raise ConfigurationError(
                f"the experiments make {jobs} jobs; at most {MAX_JOBS} are allowed: "
                "raise block or job_minutes, or lower realizations"
            )

    def block_files(self, run_id: str) -> list[str]:
        """Return the files that hold a run's realizations, whether on disk or to be computed.

        Raises
        ------
        StorageError
            If the system could not read an existing file.
        """
        if run_id not in self._block_files:
            run = self.runs[run_id]
            present = [
                block
                for block in blocks_in(self.root / run.folder)
                if not self.disk.outdated(run.file(block), run_id, run.kind.schema)
            ]
            cut = blocks(run.realizations, run.block, present)
            self._block_files[run_id] = [run.file(block) for block in cut]
        return self._block_files[run_id]

    @property
    def thresholds(self) -> dict[str, float]:
        """The accuracy and the loss that count as reached."""
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

    @cached_property
    def figures_of(self) -> dict[str, list[str]]:
        """The figures that are drawn from each run."""
        found: dict[str, list[str]] = {each: [] for each in self.runs}
        for figure_id in self.config.figures:
            for each in self.figure_runs(figure_id):
                found[each].append(figure_id)
        return found
