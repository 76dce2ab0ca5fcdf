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
    params:
        request=request(lambda wildcards: targets.pictures(plan, wildcards.figure)),
        # A function of `resources`, so that a changed caption does not redraw the figure.
        caption=lambda wildcards, resources: caption_text(
            targets.table(plan, wildcards.figure).request
        ),
    shell:
        script("draw_figure")


# Each figure's ID is a target.  It requires the whole chain behind the figure, so that a lost
# intermediate file is made again, and with it everything that depends on it.  The target of a
# figure that is not configured stops with a message.
for figure in figure_ids():

    rule:
        name:
            figure
        input:
            inputs(lambda wildcards, figure=figure: targets.chain(plan, figure)),
