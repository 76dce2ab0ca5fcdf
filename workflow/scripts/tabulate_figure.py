"""Make the table of one figure."""

from linear_grokking.workflow.steps import figures, script

if __name__ == "__main__":
    script.run(figures.tabulate_figure)
