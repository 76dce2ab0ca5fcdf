"""Write the table of one figure as CSV."""

from linear_grokking.workflow.steps import export, script

if __name__ == "__main__":
    script.run(export.export_csv)
