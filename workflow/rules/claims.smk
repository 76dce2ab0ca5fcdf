rule check_claims:
    input:
        inputs(lambda wildcards: targets.claims(plan)),
    output:
        report(
            "results/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"what": "claims and verdicts"},
        ),
        "results/claims.parquet",
    log:
        "logs/check_claims.log",
    params:
        request=request(lambda wildcards: targets.claims(plan)),
    shell:
        script("check_claims")
