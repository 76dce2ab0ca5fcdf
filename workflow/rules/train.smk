rule train_block:
    input:
        inputs(lambda wildcards: targets.block(plan, wildcards.run_id, wildcards.block)),
    output:
        "results/histories/{run_id}/{block}.parquet",
    log:
        "logs/train_block/{run_id}/{block}.log",
    group:
        job_group if may_group else None
    threads: lambda wildcards: threads_of(wildcards.run_id)
    resources:
        gpu=job_gpus,
        mem_mb=job_memory,
        gpu_mem_mb=job_gpu_memory,
        runtime=job_minutes,
    params:
        request=request(
            lambda wildcards: targets.block(plan, wildcards.run_id, wildcards.block)
        ),
        device=device_of,
    shell:
        script("train_block", "--device {params.device} --threads {threads}")


use rule train_block as record_outputs with:
    output:
        "results/outputs/{run_id}/{block}.parquet",
    log:
        "logs/record_outputs/{run_id}/{block}.log",


use rule train_block as draw_times with:
    output:
        "results/grokking_times/{run_id}/{block}.parquet",
    log:
        "logs/draw_times/{run_id}/{block}.log",
