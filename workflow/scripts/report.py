"""Write the report, one HTML page."""

from linear_grokking.workflow.steps import report, script

if __name__ == "__main__":
    script.run(report.write_report)
