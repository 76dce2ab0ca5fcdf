"""Reduce a run over its realizations."""

from linear_grokking.workflow.steps import script, summarize

if __name__ == "__main__":
    script.run(summarize.summarize_run)
