"""Write the table of one figure as CSV."""

from linear_grokking.workflow.steps import figures, script

if __name__ == "__main__":
    script.run(figures.export_csv)
