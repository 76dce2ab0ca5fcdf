rule train_block:
    output:
        "results/histories/{run_id}/{block}.parquet",
    log:
        "logs/train_block/{run_id}/{block}.log",
    threads: job_threads
    resources:
        mem_mb=job_memory,
        gpu_mem_mb=job_gpu_memory,
        runtime=job_minutes,
    params:
        spec=spec_of,
        device=device_of,
    shell:
        "linear-grokking block {params.spec:q} {output:q}"
        " --realizations {wildcards.block} --device {params.device} --threads {threads}"
        " 2> >(keep_log {log:q})"


use rule train_block as record_outputs with:
    output:
        "results/outputs/{run_id}/{block}.parquet",
    log:
        "logs/record_outputs/{run_id}/{block}.log",
