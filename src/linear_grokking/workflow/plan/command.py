"""`linear-grokking plan`: what a configuration will cost, before anything runs."""

import argparse
import json
import sys
from pathlib import Path

from linear_grokking.config import load_merged, main_file
from linear_grokking.config.fields import Count, Natural
from linear_grokking.config.messages import reader
from linear_grokking.workflow.plan import Plan, read, together
from linear_grokking.workflow.plan.forecast import forecast, on_cluster, table

STANDARD_INPUT = Path("-")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking plan` to a parser."""
    parser.add_argument(
        "--configfile",
        dest="overlays",
        type=Path,
        nargs="+",
        default=[],
        help="overlays of config/config.yaml, as for snakemake; "
        "- reads a whole configuration, as JSON, from standard input",
    )
    parser.add_argument(
        "--gpus",
        type=reader(Natural),
        nargs="+",
        default=[],
        help="also show how long all training takes on a cluster with this number of GPUs "
        "(0 for none)",
    )
    parser.add_argument(
        "--cores",
        type=reader(Count),
        default=64,
        help="CPU cores of that cluster, for jobs without a GPU (default: %(default)s)",
    )


def command(options: argparse.Namespace) -> None:
    """Print the work of each figure, and how long all of it takes on the requested clusters.

    Raises
    ------
    ValueError, OSError
        If the configuration cannot be read or used.
    """
    if options.overlays == [STANDARD_INPUT]:
        raw = json.load(sys.stdin)
    else:
        raw = load_merged([main_file(), *options.overlays])
    plan = Plan(read(raw))
    together.check(plan)
    print(table(forecast(plan, gpus=max(options.gpus, default=0) > 0)))
    if options.gpus:
        print("\n" + table([on_cluster(plan, gpus, options.cores) for gpus in options.gpus]))
