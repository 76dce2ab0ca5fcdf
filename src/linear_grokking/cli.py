"""The command line: the steps that the workflow calls, and tools around them.

Libraries are imported by the command that needs them, so that each starts quickly.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from linear_grokking.resume import Interrupted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(arguments[:1]).parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("linear_grokking").setLevel(logging.INFO)
    try:
        return options.run(options) or 0
    except (ValueError, RuntimeError, OSError, MemoryError, Interrupted) as error:
        print(f"error: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _parser(command: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; the options of train are left out unless it is the command."""
    parser = _Parser(
        prog="linear-grokking", description="Grokking in linear models: runs, tables, figures."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    block = commands.add_parser("block", help="compute one block of realizations of one run")
    block.add_argument("spec", type=json.loads, help="the run's spec, as JSON")
    block.add_argument("output", type=Path, help="Parquet file to write")
    block.add_argument("--realizations", required=True, help="first-last, both included")
    block.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    block.add_argument("--threads", type=int, default=1)
    block.set_defaults(run=_block)

    summarize = commands.add_parser("summarize", help="reduce a run over its realizations")
    summarize.add_argument("spec", type=json.loads, help="the run's spec, as JSON")
    summarize.add_argument("folder", type=Path, help="folder of the run's blocks")
    summarize.add_argument("output", type=Path, help="Parquet file to write")
    summarize.add_argument("--realizations", type=int, required=True, help="how many to use")
    summarize.add_argument("--threshold", type=float, required=True, help="accuracy that counts")
    summarize.set_defaults(run=_summarize)

    tabulate = commands.add_parser("tabulate", help="make the table of one figure")
    tabulate.add_argument("request", type=json.loads, help="figure, options and runs, as JSON")
    tabulate.add_argument("output", type=Path, help="Parquet file to write")
    tabulate.add_argument("--root", type=Path, default=Path(), help="folder that holds results/")
    tabulate.set_defaults(run=_tabulate)

    draw = commands.add_parser("draw", help="draw one figure from its table")
    draw.add_argument("table", type=Path)
    draw.add_argument("outputs", type=Path, nargs="+", help=".pdf and .png files to write")
    draw.set_defaults(run=_draw)

    export = commands.add_parser("export-csv", help="write the table of one figure as CSV")
    export.add_argument("table", type=Path)
    export.add_argument("output", type=Path)
    export.set_defaults(run=_export_csv)

    claims = commands.add_parser("claims", help="judge the papers' claims by figure tables")
    claims.add_argument("tables", type=Path, nargs="*")
    claims.add_argument("output", type=Path, help="CSV file to write")
    claims.add_argument("--root", type=Path, default=Path(), help="folder that holds results/")
    claims.set_defaults(run=_claims)

    report = commands.add_parser("report", help="write the report, one HTML file")
    report.add_argument("tables", type=Path, nargs="*")
    report.add_argument("output", type=Path, help="HTML file to write")
    report.add_argument("--claims", type=Path, default=Path("results/claims.csv"))
    report.add_argument("--manifest", type=Path, default=Path("results/runs.parquet"))
    report.add_argument("--root", type=Path, default=Path(), help="folder that holds figures/")
    report.set_defaults(run=_report)

    gallery = commands.add_parser("gallery", help="make the documentation's small pictures")
    gallery.add_argument("folder", type=Path, nargs="?", default=Path("docs/gallery"))
    gallery.add_argument("--check", action="store_true", help="only say which are outdated")
    gallery.set_defaults(run=_gallery)

    train = commands.add_parser("train", help="do one run outside the workflow")
    if command == ["train"]:
        from linear_grokking.train.options import add_options

        add_options(train)
    train.set_defaults(run=_train)

    clean = commands.add_parser(
        "clean-stale",
        help="list results that no configuration needs any more",
        description="List results that no configuration needs any more. A configuration is "
        "config/config.yaml, alone or with the overlays of one --configfile; without "
        "--configfile, every other .yaml file beside it counts as an overlay.",
    )
    clean.add_argument("--remove", action="store_true", help="remove them as well")
    clean.add_argument(
        "--configfile",
        dest="overlays",
        type=Path,
        nargs="+",
        action="append",
        help="overlays of one configuration, as for snakemake; may be given several times",
    )
    clean.set_defaults(run=_clean_stale)

    plan = commands.add_parser(
        "plan", help="show jobs and core-hours or GPU-hours of each figure; nothing runs"
    )
    plan.add_argument(
        "--configfile",
        dest="overlays",
        type=Path,
        nargs="+",
        default=[],
        help="overlays of config/config.yaml, as for snakemake",
    )
    plan.add_argument(
        "--gpus",
        type=int,
        nargs="+",
        default=[],
        help="also show how long all of it takes on a cluster with so many GPUs",
    )
    plan.set_defaults(run=_plan)

    schema = commands.add_parser("schema", help="print the JSON schema of the configuration")
    schema.set_defaults(run=_schema)
    return parser


def _block(options: argparse.Namespace) -> None:
    from linear_grokking.jobs.block import compute_block
    from linear_grokking.runs import Block

    compute_block(
        options.spec,
        Block.parse(options.realizations),
        options.output,
        device=options.device,
        threads=options.threads,
    )


def _summarize(options: argparse.Namespace) -> None:
    from linear_grokking.workflow import summarize

    summarize(options.spec, options.realizations, options.threshold, options.folder, options.output)


def _tabulate(options: argparse.Namespace) -> None:
    from linear_grokking.workflow import tabulate

    tabulate(options.request, options.root, options.output)


def _draw(options: argparse.Namespace) -> None:
    from linear_grokking.workflow import draw

    draw(options.table, options.outputs)


def _export_csv(options: argparse.Namespace) -> None:
    from linear_grokking.workflow import export_csv

    export_csv(options.table, options.output)


def _claims(options: argparse.Namespace) -> None:
    from linear_grokking import claims

    claims.write(options.tables, options.root, options.output)


def _report(options: argparse.Namespace) -> None:
    from linear_grokking.report.page import write_page

    write_page(options.tables, options.claims, options.manifest, options.output, options.root)


def _gallery(options: argparse.Namespace) -> int:
    from linear_grokking.config import load, read
    from linear_grokking.plan import Plan
    from linear_grokking.report import gallery

    plan = Plan(read(load(Path("config/config.yaml"))))
    if not options.check:
        gallery.make(Path("figures"), options.folder, list(plan.config.figures))
    outdated = gallery.outdated(options.folder, plan)
    for figure_id in outdated:
        print(f"{options.folder / figure_id}.png is not of the present configuration and code")
    return 1 if outdated else 0


def _train(options: argparse.Namespace) -> int:
    from linear_grokking.train.command import train

    return train(options)


def _clean_stale(options: argparse.Namespace) -> None:
    from linear_grokking import stale
    from linear_grokking.config import load_merged, read
    from linear_grokking.plan import Plan

    root = Path()
    base = root / "config" / "config.yaml"
    overlays = options.overlays or [[path] for path in sorted(base.parent.glob("*.yaml"))]
    # Laid over itself, the base is a configuration of its own.
    plans = [Plan(read(load_merged([base, *group])), root) for group in [[base], *overlays]]
    found = stale.stale_paths(root, plans)
    for path in found:
        print(path)
    if options.remove:
        if stale.is_locked(root):
            raise RuntimeError("Snakemake is at work here (.snakemake/locks); nothing was removed")
        stale.remove(found)
    print(f"{len(found)} stale, {'removed' if options.remove else 'kept'}", file=sys.stderr)


def _plan(options: argparse.Namespace) -> None:
    from linear_grokking.config import load_merged, read
    from linear_grokking.outlook import hours_on_gpus, outlook, table
    from linear_grokking.plan import Plan

    if min(options.gpus, default=1) < 1:
        raise ValueError(f"--gpus {min(options.gpus)}: must be 1 or more")
    plan = Plan(read(load_merged([Path("config/config.yaml"), *options.overlays])), Path())
    print(table(outlook(plan)))
    for gpus in options.gpus:
        print(f"all jobs, done or not, on {gpus} GPUs: {hours_on_gpus(plan, gpus):.2f} hours")


def _schema(_: argparse.Namespace) -> None:
    from linear_grokking.config import json_schema

    print(json.dumps(json_schema(), indent=2, sort_keys=True))
