"""Compute one block of realizations of one run."""

from linear_grokking.workflow.steps import block, script

if __name__ == "__main__":
    script.run(block.train_block, device=str, threads=int)
