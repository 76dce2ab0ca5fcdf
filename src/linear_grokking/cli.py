"""The command line: what a person types beside Snakemake.

Libraries are imported by the command that needs them, so that each starts quickly.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from linear_grokking.runtime import failures

if TYPE_CHECKING:
    from linear_grokking.workflow.plan import Plan

CONFIG = Path("config/config.yaml")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser(arguments[:1]).parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("linear_grokking").setLevel(logging.INFO)
    try:
        return options.run(options) or 0
    except failures.EXPECTED as error:
        print(failures.line(error), file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _parser(command: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; the options of train are left out unless it is the command."""
    parser = _Parser(prog="linear-grokking", description="Grokking in linear models.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="do one run outside the workflow")
    if list(command) == ["train"]:
        from linear_grokking.workflow.train.options import add_options

        add_options(train)
    train.set_defaults(run=_train)

    plan = commands.add_parser(
        "plan", help="show jobs and core-hours or GPU-hours of each figure; nothing runs"
    )
    overlays: dict[str, Any] = {"dest": "overlays", "type": Path, "nargs": "+"}
    of_one = "overlays of config/config.yaml, as for snakemake"
    plan.add_argument("--configfile", **overlays, default=[], help=of_one)
    plan.add_argument(
        "--gpus",
        type=int,
        nargs="+",
        default=[],
        help="also show how long all of it takes on a cluster with so many GPUs",
    )
    plan.set_defaults(run=_plan)

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
        **overlays,
        action="append",
        help="overlays of one configuration, as for snakemake; may be given several times",
    )
    clean.set_defaults(run=_clean_stale)

    gallery = commands.add_parser("gallery", help="make the documentation's small pictures")
    gallery.add_argument("folder", type=Path, nargs="?", default=Path("docs/gallery"))
    gallery.add_argument("--check", action="store_true", help="only say which are outdated")
    gallery.set_defaults(run=_gallery)

    schema = commands.add_parser("schema", help="print the JSON schema of the configuration")
    schema.set_defaults(run=_schema)
    return parser


def _train(options: argparse.Namespace) -> int:
    from linear_grokking.workflow.train.command import train

    return train(options)


def _planned(*overlays: Path) -> "Plan":
    """Return the plan of config/config.yaml with overlays."""
    from linear_grokking.config import load_merged
    from linear_grokking.workflow.plan import Plan, read

    return Plan(read(load_merged([CONFIG, *overlays])))


def _plan(options: argparse.Namespace) -> None:
    from linear_grokking.workflow.plan.forecast import forecast, hours_on_gpus, table

    if min(options.gpus, default=1) < 1:
        raise ValueError(f"--gpus {min(options.gpus)}: must be 1 or more")
    plan = _planned(*options.overlays)
    print(table(forecast(plan)))
    for gpus in options.gpus:
        print(f"all jobs, done or not, on {gpus} GPUs: {hours_on_gpus(plan, gpus):.2f} hours")


def _clean_stale(options: argparse.Namespace) -> None:
    from linear_grokking.workflow.plan import stale

    root = Path()
    overlays = options.overlays or [[path] for path in sorted(CONFIG.parent.glob("*.yaml"))]
    # Laid over itself, the base is a configuration of its own.
    found = stale.stale_paths(root, [_planned(*group) for group in [[CONFIG], *overlays]])
    for path in found:
        print(path)
    if options.remove:
        if stale.is_locked(root):
            raise RuntimeError("Snakemake is at work here (.snakemake/locks); nothing was removed")
        stale.remove(found)
    print(f"{len(found)} stale, {'removed' if options.remove else 'kept'}", file=sys.stderr)


def _gallery(options: argparse.Namespace) -> int:
    from linear_grokking.report import gallery

    plan = _planned()
    requests = {figure_id: plan.figure_request(figure_id) for figure_id in plan.config.figures}
    if not options.check:
        gallery.make(Path("figures"), options.folder, list(requests))
    outdated = gallery.outdated(options.folder, requests)
    for figure_id in outdated:
        print(f"{options.folder / figure_id}.png is not of the present configuration and code")
    return 1 if outdated else 0


def _schema(_: argparse.Namespace) -> None:
    from linear_grokking.workflow.plan import json_schema

    print(json.dumps(json_schema(), indent=2, sort_keys=True))
