use rule train_block as measure_separability with:
    output:
        "results/separability/{run_id}/{block}.parquet",
    log:
        "logs/measure_separability/{run_id}/{block}.log",
