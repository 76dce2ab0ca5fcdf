"""A run and its forecast, as a figure and as a table."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from linear_grokking.figures import style
from linear_grokking.results.storage import provenance, write_frame
from linear_grokking.shapes import Float

STEM = "analysis"
SUFFIXES = (".png", ".pdf", ".parquet")

Curves = Mapping[str, Float[np.ndarray, " T"]]


def write(folder: Path, curves: Curves, times: Mapping[str, float], spec: Mapping) -> None:
    """Write ``analysis.png``, ``.pdf`` and ``.parquet`` into a folder.

    Parameters
    ----------
    curves
        ``step``, the run's columns, and the forecast's as ``forecast_…``.
    times
        Finite forecast times of training and held-out accuracy, which are marked.
    spec
        What was analyzed and how; it is stored in every file.
    """
    record, text = provenance(), json.dumps(spec, sort_keys=True)
    table = pd.DataFrame(curves)
    with style.sheet():
        figure, axes = style.new_panels(1, 2, height=2.3)
        shown = table[table["step"] > 0]
        for panel, quantity in zip(axes, ("loss", "accuracy"), strict=True):
            for series, name in (("train", "training"), ("gen", "held-out rows")):
                line = style.line_of(series)
                curve = shown[f"{series}_{quantity}"]
                panel.plot(
                    shown["step"], curve, color=style.BLUE, linestyle=line, label=name, lw=2.2
                )
                told = shown.get(f"forecast_{series}_{quantity}")
                if told is not None and told.notna().any():
                    label = "forecast" if series == "gen" else None
                    panel.plot(
                        shown["step"], told, linestyle=line, label=label, **style.THEORY_LINE
                    )
            panel.set(xscale="log", xlabel="step $t$", ylabel=quantity)
        losses = shown[["train_loss", "gen_loss"]].to_numpy()
        losses = losses[losses > 0]
        low = max(losses.min() / 2, style.LOSS_FLOOR)
        axes[0].set(yscale="log", ylim=(low, min(3 * losses.max(), style.LOSS_CEILING)))
        axes[1].set_ylim(-0.03, 1.03)
        for time in times.values():
            if time > 0:
                axes[1].axvline(time, **style.GUIDE)
        handles, labels = axes[1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        for suffix in (".png", ".pdf"):
            style.save(figure, folder / f"{STEM}{suffix}", spec=text, provenance=record)
    write_frame(table, folder / f"{STEM}.parquet", spec=text, provenance=record)
