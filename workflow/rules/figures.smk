from linear_grokking.figures.registry import figure_ids
from linear_grokking.report.captions import caption_text, category


rule tabulate_figure:
    input:
        inputs(lambda wildcards: targets.table(plan, wildcards.figure)),
    output:
        "figures/tables/{figure}.csv",
        "figures/tables/{figure}.parquet",
    log:
        "logs/tabulate_figure/{figure}.log",
    resources:
        runtime=figure_minutes,
    params:
        request=request(lambda wildcards: targets.table(plan, wildcards.figure)),
    shell:
        script("tabulate_figure")


rule draw_figure:
    input:
        inputs(lambda wildcards: targets.pictures(plan, wildcards.figure)),
    output:
        "figures/{figure}.pdf",
        "figures/{figure}.svg",
        report(
            "figures/{figure}.png",
            caption="../report/figure.rst",
            category=lambda wildcards: category(wildcards.figure),
            labels=lambda wildcards: {"figure": wildcards.figure},
        ),
    log:
        "logs/draw_figure/{figure}.log",
    resources:
        runtime=figure_minutes,
    params:
        request=request(lambda wildcards: targets.pictures(plan, wildcards.figure)),
        # A function of `resources`, so that another caption draws nothing again.
        caption=lambda wildcards, resources: caption_text(
            targets.table(plan, wildcards.figure).request
        ),
    shell:
        script("draw_figure")


# Each figure's ID is a target.  It asks for the whole chain behind the figure, so that an
# intermediate file that was lost is made again, and with it what follows from it.  One that is
# not configured says so.
for figure in figure_ids():

    rule:
        name:
            figure
        input:
            inputs(lambda wildcards, figure=figure: targets.chain(plan, figure)),
