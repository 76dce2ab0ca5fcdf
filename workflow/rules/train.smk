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
        request=lambda wildcards: plan.block_request(wildcards.run_id, wildcards.block),
        device=device_of,
    shell:
        script("train_block", "--device {params.device} --threads {threads}")


use rule train_block as record_outputs with:
    output:
        "results/outputs/{run_id}/{block}.parquet",
    log:
        "logs/record_outputs/{run_id}/{block}.log",
