from linear_grokking.report import report_code


report: "../report/workflow.rst"


# `snakemake report` writes one page that needs no network; `snakemake --report` works as well.
rule report:
    input:
        tables=[f"figures/tables/{figure}.parquet" for figure in plan.config.figures],
        pictures=[f"figures/{figure}.png" for figure in plan.config.figures],
        claims="results/claims.csv",
        runs="results/runs.parquet",
    output:
        "results/report.html",
    log:
        "logs/report.log",
    params:
        code=lambda wildcards: report_code(),
    shell:
        "linear-grokking report {input.tables:q} {output:q}"
        " --claims {input.claims:q} --manifest {input.runs:q}"
        " 2> >(keep_log {log:q})"
