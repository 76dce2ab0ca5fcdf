from linear_grokking.results.fingerprint import fingerprint
from linear_grokking.workflow import steps


rule check_claims:
    input:
        tables=plan.tables(),
        upstream=lambda wildcards: plan.upstream(plan.drawn_runs()),
    output:
        report(
            "results/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"what": "claims and verdicts"},
        ),
    log:
        "logs/check_claims.log",
    params:
        request=json.dumps({"tables": plan.tables()}),
        code=lambda wildcards: fingerprint(steps.CLAIMS_CODE),
    shell:
        script("check_claims")
