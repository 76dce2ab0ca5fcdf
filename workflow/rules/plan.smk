import json


# Jobs and core-hours or GPU-hours of each figure, before anything runs:
# `snakemake -c1 plan --configfile config/paper.yaml`.
rule plan:
    log:
        "logs/plan.log",
    localrule: True
    params:
        configuration=lambda wildcards: json.dumps(config, default=str),
    shell:
        '"$GROKKING_PYTHON" -m linear_grokking plan --configfile - <<< {params.configuration:q}'
        " 2>&1 | tee {log:q}"


# Lists what no configuration needs; `linear-grokking clean-stale --remove` removes it.
rule clean_stale:
    log:
        "logs/clean_stale.log",
    localrule: True
    shell:
        '"$GROKKING_PYTHON" -m linear_grokking clean-stale 2>&1 | tee {log:q}'
