"""Write the manifest of all runs."""

from linear_grokking.workflow.steps import report, script

if __name__ == "__main__":
    script.run(report.list_runs)
