"""Write the report, one HTML page."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.report:write_report", root=Path)
