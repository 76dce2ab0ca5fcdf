from linear_grokking.figures.registry import draw_code, tabulate_code
from linear_grokking.report.captions import caption_text, category
from linear_grokking.results.fingerprint import fingerprint
from linear_grokking.workflow import steps


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
        script("tabulate_figure")


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
        request=table_request,
        code=lambda wildcards: draw_code(wildcards.figure),
        caption=lambda wildcards: caption_text(plan.figure_request(wildcards.figure)),
    shell:
        script("draw_figure")


# A figure's table for a spreadsheet: `snakemake -c1 figures/tables/B1.csv`.
rule export_csv:
    input:
        "figures/tables/{figure}.parquet",
    output:
        "figures/tables/{figure}.csv",
    log:
        "logs/export_csv/{figure}.log",
    params:
        request=table_request,
        code=lambda wildcards: fingerprint(steps.EXPORT_CODE),
    shell:
        script("export_csv")


# Each figure's ID is a target.  It asks for the whole chain behind the figure, so that an
# intermediate file that was lost is made again, and with it what follows from it.
for figure in plan.config.figures:

    rule:
        name:
            figure
        input:
            lambda wildcards, figure=figure: plan.chain(figure),
