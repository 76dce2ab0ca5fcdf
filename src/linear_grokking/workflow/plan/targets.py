"""What the jobs of the workflow make: their files, inputs and requests."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import pyarrow as pa

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.results.identity import Block
from linear_grokking.results.places import ARCHIVE, CLAIMS, DOES_X_HELP, MANIFEST, REPORT
from linear_grokking.workflow.made_of import made_of
from linear_grokking.workflow.plan.configuration import plain_values
from linear_grokking.workflow.plan.planning import Plan, Run


class UnknownError(LinearGrokkingError):
    """A figure or a run that the configuration does not have."""


@dataclass(frozen=True)
class Target:
    """What one job makes.

    Attributes
    ----------
    step
        Name of the rule; empty if it only gathers what others make.
    outputs, inputs
        Files, relative to the folder that holds results/ and figures/.  The last output is the one
        from which other files are made.
    request
        Everything that the job is told.
    schema
        Schema of its files, if all runs of a kind have the same columns.
    """

    step: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    request: dict[str, Any]
    schema: pa.Schema | None = None

    @cached_property
    def made_of(self) -> str:
        """The digest of request and code that each output carries."""
        return made_of(self.step, self.request)


def outdated(plan: Plan, target: Target) -> list[str]:
    """Return the existing outputs that are damaged, or come from another request or other code.

    Raises
    ------
    StorageError
        If the system could not read one.
    """
    judge = plan.disk.outdated
    return [name for name in target.outputs if judge(name, target.made_of, target.schema)]


def block(plan: Plan, run_id: str, block: str) -> Target:
    """Return the target that computes a block of realizations.

    Raises
    ------
    UnknownError
        If the configuration has no such run, or there is no such block.  The functions below raise
        it likewise for runs and figures.
    """
    run = _run(plan, run_id)
    request = {"spec": run.spec, "block": block}
    try:
        output = run.file(Block.parse(block))
    except ValueError as error:
        raise UnknownError(str(error)) from None
    return Target("train_block", (output,), (), request, run.kind.schema)


@cache
def summary(plan: Plan, run_id: str) -> Target:
    """Return the target that reduces a run over its realizations: its summary and its scalars."""
    run = _run(plan, run_id)
    request = {"spec": run.spec, "folder": run.folder, "realizations": run.realizations}
    if run.spec["measure"] == "dynamics":
        request |= plan.thresholds
    outputs = (f"results/{each}/{run_id}.parquet" for each in ("summaries", "scalars"))
    return Target("summarize_run", tuple(outputs), tuple(plan.block_files(run_id)), request)


@cache
def table(plan: Plan, figure_id: str) -> Target:
    """Return the target that makes a figure's table, as CSV and as Parquet."""
    if figure_id not in plan.config.figures:
        configured = ", ".join(plan.config.figures) or "none"
        raise UnknownError(f"figure {figure_id} is not configured; configured are {configured}")
    runs = {
        role: [
            {
                "run_id": point.run_id,
                "parameters": point.parameters,
                # Figures pair runs that have the same draws.
                "seed": plan.runs[point.run_id].spec.get("seed"),
                "realizations": plan.runs[point.run_id].realizations,
                "made_of": summary(plan, point.run_id).made_of,
            }
            for point in points
        ]
        for role, points in plan.figure_points(figure_id).items()
    }
    options = plan.config.figures[figure_id].model_dump(mode="json", by_alias=True)
    request = {"figure": figure_id, "options": options, **plan.thresholds, "runs": runs}
    outputs = (f"figures/tables/{figure_id}.{suffix}" for suffix in ("csv", "parquet"))
    inputs = upstream(plan, plan.figure_runs(figure_id))
    return Target("tabulate_figure", tuple(outputs), inputs, request)


@cache
def pictures(plan: Plan, figure_id: str) -> Target:
    """Return the target that draws a figure from its table."""
    made = table(plan, figure_id)
    outputs = (f"figures/{figure_id}.{suffix}" for suffix in ("pdf", "svg", "png"))
    request = {"figure": figure_id, "table": made.made_of}
    return Target("draw_figure", tuple(outputs), made.outputs[-1:], request)


@cache
def manifest(plan: Plan) -> Target:
    """Return the target that lists the runs, with the experiments and figures that use each.

    Experiments are sorted by name, so that their order in the configuration is irrelevant.
    """
    runs = [
        {
            "run_id": point.run_id,
            "experiment": name,
            "figures": plan.figures_of[point.run_id],
            "parameters": point.parameters,
            "realizations": plan.runs[point.run_id].realizations,
            "folder": plan.runs[point.run_id].folder,
        }
        for name, points in sorted(plan.points.items())
        for point in points
    ]
    inputs = (name for run_id in plan.runs for name in plan.block_files(run_id))
    return Target("list_runs", (MANIFEST,), tuple(inputs), {"runs": runs})


@cache
def claims(plan: Plan) -> Target:
    """Return the target that judges the claims on all figures."""
    tables = {each: table(plan, each) for each in plan.config.figures}
    drawn = dict.fromkeys(run for each in tables for run in plan.figure_runs(each))
    inputs = (*(made.outputs[-1] for made in tables.values()), *upstream(plan, drawn))
    return Target("check_claims", CLAIMS, inputs, {"tables": _digests(tables)})


@cache
def does_x_help(plan: Plan) -> Target:
    """Return the target that typesets the table "Does X help?" from the claims."""
    judged = claims(plan)
    return Target("X1", DOES_X_HELP, judged.outputs[-1:], {"claims": judged.made_of})


@cache
def report(plan: Plan) -> Target:
    """Return the target that writes the page with all figures, claims and runs."""
    tables = {each: table(plan, each) for each in plan.config.figures}
    drawn = {each: pictures(plan, each) for each in plan.config.figures}
    judged, listed, helping = claims(plan), manifest(plan), does_x_help(plan)
    request = {
        "tables": _digests(tables),
        "pictures": _digests(drawn),
        "claims": judged.made_of,
        "does_x_help": helping.made_of,
        "manifest": listed.made_of,
        "configuration": plan.sources,
    }
    inputs = (
        made.outputs[-1] for made in (*tables.values(), *drawn.values(), judged, listed, helping)
    )
    return Target("report", (REPORT,), tuple(inputs), request)


@cache
def archive(plan: Plan) -> Target:
    """Return the target that packs everything except the blocks into one file."""
    of_figures = [make(plan, each) for make in (pictures, table) for each in plan.config.figures]
    of_runs = [summary(plan, run_id) for run_id in plan.runs]
    made = [*of_figures, *of_runs, manifest(plan), claims(plan), does_x_help(plan), report(plan)]
    request = {
        "files": {name: target.made_of for target in made for name in target.outputs},
        # The folders of the blocks, which record when and with what they were computed.
        "folders": sorted(run.folder for run in plan.runs.values()),
        "configuration": plain_values(plan.config),
        "sources": plan.sources,
    }
    inputs = (*everything(plan).inputs, *DOES_X_HELP, REPORT)
    return Target("archive", (ARCHIVE,), inputs, request)


def chain(plan: Plan, figure_id: str) -> Target:
    """Return the target with a figure's files and everything that they are made from."""
    made = _files([pictures(plan, figure_id), table(plan, figure_id)])
    return Target("", (), (*made, *upstream(plan, plan.figure_runs(figure_id))), {})


def everything(plan: Plan) -> Target:
    """Return the target with all files except X1, report and archive, made only on request."""
    figures = plan.config.figures
    made = [make(plan, figure_id) for make in (pictures, table) for figure_id in figures]
    return Target("", (), (*_files(made), *upstream(plan, plan.runs), MANIFEST, *CLAIMS), {})


def upstream(plan: Plan, run_ids: Iterable[str]) -> tuple[str, ...]:
    """Return the summaries, scalars and blocks of runs."""
    made = (summary(plan, run_id) for run_id in run_ids)
    return tuple(name for each in made for name in (*each.outputs, *each.inputs))


def _run(plan: Plan, run_id: str) -> Run:
    if run_id not in plan.runs:
        raise UnknownError(
            f"run {run_id} is not part of this configuration; {MANIFEST} lists its runs"
        )
    return plan.runs[run_id]


def _files(targets: Iterable[Target]) -> tuple[str, ...]:
    return tuple(name for target in targets for name in target.outputs)


def _digests(targets: dict[str, Target]) -> dict[str, str]:
    return {name: target.made_of for name, target in targets.items()}
