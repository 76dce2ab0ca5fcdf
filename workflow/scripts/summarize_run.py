"""Reduce a run over its realizations."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.summarize:summarize_run", root=Path)
