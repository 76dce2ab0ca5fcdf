import json


# The jobs and the core-hours or GPU-hours of each figure, before anything runs:
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


# Lists results that no configuration needs; `linear-grokking clean-stale --remove` removes them.
rule clean_stale:
    log:
        "logs/clean_stale.log",
    localrule: True
    shell:
        '"$GROKKING_PYTHON" -m linear_grokking clean-stale 2>&1 | tee {log:q}'
