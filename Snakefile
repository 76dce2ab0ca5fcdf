from snakemake.utils import min_version

min_version("9.0")


container: None


include: "workflow/rules/common.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/separability.smk"
include: "workflow/rules/summarize.smk"
include: "workflow/rules/figures.smk"


rule all:
    default_target: True
    input:
        plan.figure_files(),
        plan.upstream(plan.runs),
        "results/runs.parquet",
