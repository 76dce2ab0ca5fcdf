report: "../report/workflow.rst"


# `snakemake report` writes one page that needs no network; `snakemake --report` works too.
rule report:
    input:
        inputs(lambda wildcards: targets.report(plan)),
    output:
        targets.REPORT,
    log:
        "logs/report.log",
    params:
        request=request(lambda wildcards: targets.report(plan)),
    shell:
        script("report")
