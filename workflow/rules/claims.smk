from linear_grokking.fingerprint import fingerprint


rule check_claims:
    input:
        tables=[f"figures/tables/{figure}.parquet" for figure in plan.config.figures],
        upstream=lambda wildcards: plan.upstream(
            dict.fromkeys(
                run_id
                for figure in plan.config.figures
                for run_id in plan.figure_runs(figure)
            )
        ),
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
        code=lambda wildcards: fingerprint(["claims:write", "claims:MODULES"]),
    shell:
        "linear-grokking claims {input.tables:q} {output:q} 2> >(keep_log {log:q})"
