# Jobs and core-hours or GPU-hours of each figure, before anything runs:
# `snakemake -c1 plan --configfile config/config.yaml config/paper.yaml`.
rule plan:
    log:
        "logs/plan.log",
    localrule: True
    params:
        overlays=lambda wildcards: " ".join(
            shlex.quote(os.path.relpath(overlay))
            for overlay in workflow.overwrite_configfiles
        ),
    shell:
        "linear-grokking plan --configfile config/config.yaml {params.overlays}"
        " 2> >(keep_log {log:q})"
