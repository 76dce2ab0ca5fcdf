from linear_grokking.packing import pack


rule summarize_run:
    input:
        lambda wildcards: plan.block_files(wildcards.run_id),
    output:
        "results/summaries/{run_id}.parquet",
    log:
        "logs/summarize_run/{run_id}.log",
    params:
        spec=spec_of,
        realizations=lambda wildcards: plan.runs[wildcards.run_id].realizations,
        folder=lambda wildcards: plan.runs[wildcards.run_id].folder,
        threshold=plan.config.accuracy_threshold,
        code=code_fingerprint("workflow:summarize"),
    shell:
        "linear-grokking summarize {params.spec:q} {params.folder:q} {output:q}"
        " --realizations {params.realizations} --threshold {params.threshold}"
        " 2> >(keep_log {log:q})"


rule list_runs:
    input:
        [name for run_id in plan.runs for name in plan.block_files(run_id)],
    output:
        "results/runs.parquet",
    log:
        "logs/list_runs.log",
    params:
        entries=lambda wildcards: pack(plan.manifest()),
    shell:
        "python workflow/scripts/list_runs.py {params.entries} {output:q} 2> >(keep_log {log:q})"
