"""Typeset the table "Does X help?"."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.does_x_help:typeset", root=Path)
