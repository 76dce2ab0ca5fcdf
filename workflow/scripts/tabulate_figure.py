"""Make the table of one figure."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.figures:tabulate_figure", root=Path)
