from snakemake.utils import min_version

min_version("9.27")


# The base image for running rules in containers; requirements.txt is installed on top.
container: "docker://python:3.11"


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/separability.smk"
include: "workflow/rules/summarize.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/plan.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/watch.smk"
include: "workflow/rules/archive.smk"


rule all:
    default_target: True
    input:
        inputs(lambda wildcards: targets.everything(plan)),
