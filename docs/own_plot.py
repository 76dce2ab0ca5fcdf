"""Make a plot of your own from the results, cell by cell; run it where a whole build was done.

    python docs/own_plot.py my_plot.png

Editors that support percent cells (VS Code, Spyder, Jupytext) open it as a notebook.
"""

# %% Results are pandas data frames.
import sys

import matplotlib.pyplot as plt

from linear_grokking import load

runs = load.runs()
print(runs[["experiment", "figures", "realizations", "seconds"]].to_string(max_rows=10))

# %% A history: all realizations of a run, with units.
history = load.history("a1_dynamics", lambda_=0.9)
print(history.attrs["units"])
one = history[history["realization"] == 0]

# %% A summary: medians and quartiles over the realizations.
summary = load.summary("a1_dynamics", lambda_=0.9)
loss = summary[summary["quantity"] == "gen_loss"].dropna(subset="step")

# %% The table of a figure: experiment and theory side by side.
table = load.table("A1")
theory = table[
    (table["panel"] == "loss")
    & (table["series"] == "generalization")
    & (table["source"] == "theory")
    & (table["lambda"] == 0.9)
]

# %% The plot: one realization, the spread of all of them, and theory.
figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
axes.fill_between(
    loss["step"].astype(float),
    loss["q05"].astype(float),
    loss["q95"].astype(float),
    alpha=0.3,
    label="5 % to 95 % of realizations",
)
axes.plot(one["step"], one["gen_loss"], label="realization 0")
axes.plot(theory["x"], theory["y"], "k--", label="large-size theory")
axes.set(xscale="log", yscale="log", xlabel="step (GD steps)", ylabel="generalization loss")
axes.set_xlim(1, None)
axes.set_ylim(1e-6, 3)
axes.legend()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "own_plot.png", dpi=150)
