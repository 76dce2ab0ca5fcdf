# Jobs and core-hours or GPU-hours of each figure, before anything runs:
# `snakemake -c1 plan --configfile config/config.yaml config/paper.yaml`.
rule plan:
    log:
        "logs/plan.log",
    localrule: True
    params:
        overlays=lambda wildcards: [
            os.path.relpath(overlay) for overlay in workflow.overwrite_configfiles
        ],
    shell:
        '"$PYTHON" -m linear_grokking plan --configfile config/config.yaml {params.overlays:q}'
        " 2>&1 | tee {log:q}"


# Lists what no configuration needs; `linear-grokking clean-stale --remove` removes it.
rule clean_stale:
    log:
        "logs/clean_stale.log",
    localrule: True
    shell:
        '"$PYTHON" -m linear_grokking clean-stale 2>&1 | tee {log:q}'
