"""Compute one block of realizations of one run."""

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.block:train_block", device=str, threads=int)
