"""Write the manifest of all runs."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.manifest:list_runs", root=Path)
