"""Judge the claims on all figures."""

from pathlib import Path

from linear_grokking.workflow.steps import script

if __name__ == "__main__":
    script.run("linear_grokking.workflow.steps.claims:check_claims", root=Path)
