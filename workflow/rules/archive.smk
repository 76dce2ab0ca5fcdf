# `snakemake archive` packs everything but the blocks into one file, to keep or to publish.
rule archive:
    input:
        inputs(lambda wildcards: targets.archive(plan)),
    output:
        targets.ARCHIVE,
    log:
        "logs/archive.log",
    params:
        request=request(lambda wildcards: targets.archive(plan)),
    shell:
        script("archive")
