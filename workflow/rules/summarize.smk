rule summarize_run:
    input:
        inputs(lambda wildcards: targets.summary(plan, wildcards.run_id)),
    output:
        "results/summaries/{run_id}.parquet",
        "results/scalars/{run_id}.parquet",
    log:
        "logs/summarize_run/{run_id}.log",
    params:
        request=request(lambda wildcards: targets.summary(plan, wildcards.run_id)),
    shell:
        script("summarize_run")


rule list_runs:
    input:
        inputs(lambda wildcards: targets.manifest(plan)),
    output:
        targets.MANIFEST,
    log:
        "logs/list_runs.log",
    params:
        request=request(lambda wildcards: targets.manifest(plan)),
    shell:
        script("list_runs")
