"""Draw one figure from its table."""

from linear_grokking.workflow.steps import figures, script

if __name__ == "__main__":
    script.run(figures.draw_figure)
