from linear_grokking.results.fingerprint import fingerprint
from linear_grokking.workflow import steps


rule summarize_run:
    input:
        lambda wildcards: plan.block_files(wildcards.run_id),
    output:
        "results/summaries/{run_id}.parquet",
        "results/scalars/{run_id}.parquet",
    log:
        "logs/summarize_run/{run_id}.log",
    params:
        request=lambda wildcards: plan.summary_request(wildcards.run_id),
        code=fingerprint(steps.SUMMARY_CODE),
    shell:
        script("summarize_run")


rule list_runs:
    input:
        [name for run_id in plan.runs for name in plan.block_files(run_id)],
    output:
        plan.manifest_file,
    log:
        "logs/list_runs.log",
    params:
        request=lambda wildcards: plan.manifest_request(),
        code=lambda wildcards: fingerprint(steps.MANIFEST_CODE),
    shell:
        script("list_runs")
