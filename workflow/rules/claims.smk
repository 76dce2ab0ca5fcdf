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


# "Does X help?" is made only on request, because it needs the claims on all figures.
rule X1:
    input:
        inputs(lambda wildcards: targets.does_x_help(plan)),
    output:
        targets.DOES_X_HELP,
    log:
        "logs/X1.log",
    params:
        request=request(lambda wildcards: targets.does_x_help(plan)),
    shell:
        script("does_x_help")
