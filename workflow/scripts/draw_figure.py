"""Draw one figure from its table."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.figures:draw_figure", root=Path)
