"""Judge the claims on all figures."""

from linear_grokking.workflow.steps import claims, script

if __name__ == "__main__":
    script.run(claims.check_claims)
