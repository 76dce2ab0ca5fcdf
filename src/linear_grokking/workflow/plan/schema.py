"""`linear-grokking schema`: the JSON schema of configurations, for editors."""

import argparse
import json

from linear_grokking.workflow.plan.configuration import json_schema


def add_options(parser: argparse.ArgumentParser) -> None:
    """Leave the parser as it is: this command has no options."""


def command(_: argparse.Namespace) -> None:
    """Print the JSON schema of the configuration."""
    print(json.dumps(json_schema(), indent=2, sort_keys=True))
