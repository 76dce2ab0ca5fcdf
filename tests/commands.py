"""The package's commands, in the process of the tests."""

from linear_grokking.cli import main


def do(*arguments: object) -> None:
    """Run a command, which must succeed."""
    assert main([str(each) for each in arguments]) == 0
