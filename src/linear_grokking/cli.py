"""The command line: what a person types beside Snakemake.

Libraries are imported by the command that needs them, so that each starts quickly.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from linear_grokking.errors import LinearGrokkingError
from linear_grokking.results.places import SHIPPED
from linear_grokking.runtime import program

if TYPE_CHECKING:
    from linear_grokking.workflow.plan import Plan

STANDARD_INPUT = Path("-")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return program.run(lambda: _command(given))


def _command(arguments: Sequence[str]) -> int | None:
    options = _parser(arguments[:1]).parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("linear_grokking").setLevel(logging.INFO)
    return options.run(options)


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _parser(command: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; a command has its own options only where it is the one that is given."""
    parser = _Parser(prog="linear-grokking", description="Grokking in linear models.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="do one run outside the workflow")
    if list(command) == ["train"]:
        from linear_grokking.workflow.train import command as training

        training.add_options(train)
    train.set_defaults(run=_train)

    predict = commands.add_parser("predict", help="show what theory says of a run; nothing runs")
    if list(command) == ["predict"]:
        from linear_grokking.workflow.predict import command as prediction

        prediction.add_options(predict)
    predict.set_defaults(run=_predict)

    analyze = commands.add_parser("analyze", help="say whether given rows will grok")
    if list(command) == ["analyze"]:
        from linear_grokking.analysis import command as analysis

        analysis.add_options(analyze)
    analyze.set_defaults(run=_analyze)

    plan = commands.add_parser(
        "plan", help="show jobs and core-hours or GPU-hours of each figure; nothing runs"
    )
    plan.add_argument(
        "--configfile",
        dest="overlays",
        type=Path,
        nargs="+",
        default=[],
        help="overlays of config/config.yaml, as for snakemake; "
        "- reads a whole configuration, as JSON, from standard input",
    )
    plan.add_argument(
        "--gpus",
        type=int,
        nargs="+",
        default=[],
        help="also show how long all training takes on a cluster with so many GPUs; 0 for none",
    )
    plan.add_argument(
        "--cores",
        type=int,
        default=64,
        help="CPU cores of that cluster, for jobs without a GPU (default: %(default)s)",
    )
    plan.set_defaults(run=_plan)

    watch = commands.add_parser(
        "watch",
        help="show how far a build is, here or on a cluster",
        description="Show how far the latest build of a folder is: what runs and since when, "
        "what failed, and the time left. Reads files alone, so that it can be called from any "
        "machine that sees the folder, and writes none.",
    )
    watch.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=Path(),
        help="where Snakemake was started (default: here)",
    )
    watch.add_argument("--once", action="store_true", help="look once, and do not stay")
    watch.set_defaults(run=_watch)

    clean = commands.add_parser(
        "clean-stale",
        help="list results that no configuration needs any more",
        description="List results that no configuration needs any more. What counts is "
        "config/config.yaml as it is now, and each configuration that results were made from, "
        "as it was then: results/configurations has a file for each; delete one that is done "
        "with.",
    )
    clean.add_argument("--remove", action="store_true", help="remove them as well")
    clean.set_defaults(run=_clean_stale)

    gallery = commands.add_parser(
        "gallery",
        help="bring figures, tables and claims to docs/",
        description="Bring what was built, and is of the present configuration and code, to the "
        "documentation: small pictures, tables, claims, and blocks that took long.",
    )
    gallery.add_argument(
        "--size",
        choices=tuple(SHIPPED),
        default="config",
        help="what was built: config/config.yaml alone, for docs/gallery, or the papers' sizes, "
        "for docs/paper_size (default: %(default)s)",
    )
    gallery.add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="folder that holds results/ and figures/ (default: here)",
    )
    gallery.add_argument("--check", action="store_true", help="only say which are outdated")
    gallery.set_defaults(run=_gallery)

    schema = commands.add_parser("schema", help="print the JSON schema of the configuration")
    schema.set_defaults(run=_schema)
    return parser


def _train(options: argparse.Namespace) -> int:
    from linear_grokking.workflow.train.command import command

    return command(options)


def _predict(options: argparse.Namespace) -> int:
    from linear_grokking.workflow.predict.command import command

    return command(options)


def _analyze(options: argparse.Namespace) -> int:
    from linear_grokking.analysis.command import command

    return command(options)


def _planned(*overlays: Path) -> "Plan":
    """Return the plan of the main file with overlays, or of what standard input holds."""
    from linear_grokking.config import load_merged, main_file
    from linear_grokking.workflow.plan import Plan, read

    whole = list(overlays) == [STANDARD_INPUT]
    return Plan(read(json.load(sys.stdin) if whole else load_merged([main_file(), *overlays])))


def _plan(options: argparse.Namespace) -> None:
    from linear_grokking.workflow.plan.forecast import forecast, on_cluster, table

    for name, number, least in (
        ("gpus", min(options.gpus, default=0), 0),
        ("cores", options.cores, 1),
    ):
        if number < least:
            raise ValueError(f"--{name} {number}: must be {least} or more")
    plan = _planned(*options.overlays)
    print(table(forecast(plan, gpus=max(options.gpus, default=0) > 0)))
    if options.gpus:
        print("\n" + table([on_cluster(plan, gpus, options.cores) for gpus in options.gpus]))


def _watch(options: argparse.Namespace) -> None:
    from linear_grokking.workflow.watch.command import watch

    watch(options.folder, once=options.once)


def _clean_stale(options: argparse.Namespace) -> None:
    from linear_grokking.config import MAIN, main_file
    from linear_grokking.workflow.plan import Plan, noted_configurations, read, stale

    root, main, noted = Path(), str(main_file()), noted_configurations.read(Path())
    # Another workflow, which uses this one as a module, notes nothing.
    if options.remove and not (noted or MAIN.exists()):
        raise LinearGrokkingError(
            f"there is neither {MAIN} nor a file in {noted_configurations.FOLDER}, which would "
            "say what is needed here; nothing was removed"
        )
    plans = {main: _planned()}
    for path, (sources, raw) in noted.items():
        # One that is there as a file may have been edited since.
        if sources != [main]:
            plans[f"{' '.join(sources)} ({path})"] = Plan(read(raw))
    for source, plan in plans.items():
        print(f"counted: {source}: {len(plan.runs)} runs", file=sys.stderr)
    found = stale.stale_paths(root, plans.values())
    for path in found:
        print(path)
    if options.remove:
        if stale.is_locked(root):
            raise LinearGrokkingError(
                "Snakemake is at work here (.snakemake/locks); nothing was removed"
            )
        stale.remove(found)
    print(f"{len(found)} stale, {'removed' if options.remove else 'kept'}", file=sys.stderr)


def _gallery(options: argparse.Namespace) -> int:
    from linear_grokking.workflow.shipping import ship

    outdated = ship(options.size, options.root, check=options.check)
    for picture in outdated:
        print(f"{picture} is not of the present configuration and code")
    return 1 if outdated else 0


def _schema(_: argparse.Namespace) -> None:
    from linear_grokking.workflow.plan import json_schema

    print(json.dumps(json_schema(), indent=2, sort_keys=True))
