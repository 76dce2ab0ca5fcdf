"""Judge the claims on all figures."""

from linear_grokking.workflow.steps import report, script

if __name__ == "__main__":
    script.run(report.check_claims)
