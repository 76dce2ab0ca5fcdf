"""The command-line interface, for everything that does not run through Snakemake.

A command is a module with the functions `add_options` and `command`.  Only the module of the
given command is imported, so that each command starts quickly.
"""

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, NoReturn

from linear_grokking.runtime import failures, program

COMMANDS: Mapping[str, tuple[str, str]] = {
    "train": ("workflow.train.command", "train once, outside the workflow"),
    "predict": (
        "workflow.predict.command",
        "show what theory predicts for a run, without running it",
    ),
    "analyze": ("analysis.command", "forecast whether and when given rows will grok"),
    "plan": (
        "workflow.plan.command",
        "show jobs and core-hours or GPU-hours of each figure, without running them",
    ),
    "watch": ("workflow.watch.command", "show the progress of a build, here or on a cluster"),
    "clean-stale": ("workflow.plan.stale", "list results that no configuration needs any more"),
    "gallery": ("workflow.shipping", "copy figures, tables and claims to docs/"),
    "schema": ("workflow.plan.schema", "print the JSON schema of the configuration"),
}
"""The module of each command, and its help text."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return program.run(lambda: _command(given))


def _command(arguments: Sequence[str]) -> int | None:
    options = _parser(arguments[:1]).parse_args(arguments)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("linear_grokking").setLevel(logging.INFO)
    try:
        return options.run(options)
    except ValueError as error:
        print(failures.line(error), file=sys.stderr)
        return program.WRONG_OPTIONS


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line; a command's own names its help and options."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            from linear_grokking.config.text import closest  # slow to import, and seldom needed

            close = closest(unknown[0].partition("=")[0], self._option_string_actions)
            hint = f"; did you mean {close}?" if close else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(program.WRONG_OPTIONS, f"error: {message} (see {self.prog} --help)\n")


def _parser(given: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; only the given command gets its options."""
    parser = _Parser(prog="linear-grokking", description="Grokking in linear models.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (place, words) in COMMANDS.items():
        its = commands.add_parser(name, help=words, allow_abbrev=False)
        if name in given:
            module = import_module(f"linear_grokking.{place}")
            module.add_options(its)
            its.set_defaults(run=module.command)
    return parser
