from linear_grokking.report.captions import caption_text, category


rule tabulate_figure:
    input:
        lambda wildcards: plan.upstream(plan.figure_runs(wildcards.figure)),
    output:
        "figures/tables/{figure}.parquet",
    log:
        "logs/tabulate_figure/{figure}.log",
    params:
        request=lambda wildcards: plan.figure_request(wildcards.figure),
        code=lambda wildcards: tabulate_code(wildcards.figure),
    shell:
        "linear-grokking tabulate {params.request:q} {output:q} 2> >(keep_log {log:q})"


rule draw_figure:
    input:
        "figures/tables/{figure}.parquet",
    output:
        "figures/{figure}.pdf",
        report(
            "figures/{figure}.png",
            caption="../report/figure.rst",
            category=lambda wildcards: category(wildcards.figure),
            labels=lambda wildcards: {"figure": wildcards.figure},
        ),
    log:
        "logs/draw_figure/{figure}.log",
    params:
        code=lambda wildcards: draw_code(wildcards.figure),
        caption=lambda wildcards: caption_text(plan.figure_request(wildcards.figure)),
    shell:
        "linear-grokking draw {input:q} {output:q} 2> >(keep_log {log:q})"


# A figure's table for a spreadsheet: `snakemake -c1 figures/tables/B1.csv`.
rule export_csv:
    input:
        "figures/tables/{figure}.parquet",
    output:
        "figures/tables/{figure}.csv",
    log:
        "logs/export_csv/{figure}.log",
    params:
        code=code_fingerprint("workflow:export_csv"),
    shell:
        "linear-grokking export-csv {input:q} {output:q} 2> >(keep_log {log:q})"


# Each figure's ID is a target.  It asks for the whole chain behind the figure, so that an
# intermediate file that was lost is made again, and with it what follows from it.
for figure in plan.config.figures:

    rule:
        name:
            figure
        input:
            lambda wildcards, figure=figure: plan.chain(figure),


# Lists what no configuration needs; `linear-grokking clean-stale --remove` removes it.
rule clean_stale:
    log:
        "logs/clean_stale.log",
    localrule: True
    shell:
        "linear-grokking clean-stale 2> >(keep_log {log:q})"
