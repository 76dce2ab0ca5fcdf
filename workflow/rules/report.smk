from linear_grokking.report import report_code


report: "../report/workflow.rst"


# `snakemake report` writes one page that needs no network; `snakemake --report` works as well.
rule report:
    input:
        tables=plan.tables(),
        pictures=[f"figures/{figure}.png" for figure in plan.config.figures],
        claims="results/claims.csv",
        runs=plan.manifest_file,
    output:
        "results/report.html",
    log:
        "logs/report.log",
    params:
        request=json.dumps(
            {
                "tables": plan.tables(),
                "claims": "results/claims.csv",
                "manifest": plan.manifest_file,
            }
        ),
        code=lambda wildcards: report_code(),
    shell:
        script("report")
