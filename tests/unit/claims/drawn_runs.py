"""Runs whose realizations a test makes up, as claims see them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from linear_grokking.claims.registry import Evidence


class DrawnRun(SimpleNamespace):
    """What claims use of a `RunResult`: parameters, seed, scalars, curves."""

    seed = 0

    def __init__(self, parameters, scalars=None, steps=None, **curves):
        sizes = [len(curve) for curve in curves.values()] or [len(scalars)]
        scalars = pd.DataFrame(scalars if scalars is not None else {"realization": range(sizes[0])})
        if "realization" not in scalars:
            scalars.insert(0, "realization", range(len(scalars)))
        run_id = str(parameters)
        super().__init__(parameters=parameters, scalars=scalars, run_id=run_id)
        self.steps, self.found = steps, {k: np.asarray(v, float) for k, v in curves.items()}

    @property
    def realizations(self):
        return len(self.scalars)

    @property
    def drawn(self):
        return range(self.realizations)

    def curves(self, *names):
        return np.asarray(self.steps, float), *(self.found[name] for name in names)

    def only(self, chosen):
        chosen = list(chosen)
        kept = DrawnRun(self.parameters, self.scalars.iloc[chosen], self.steps)
        kept.found = {name: curve[chosen] for name, curve in self.found.items()}
        return kept

    def number(self, quantity):
        return {"median": float(np.median(self.scalars[quantity]))}


class DrawnEvidence(Evidence):
    """Evidence of such runs, by role."""

    def __init__(self, figure, options=None, table=None, **runs):
        request = {"figure": figure, "options": options or {}, "runs": {}}
        super().__init__(None, request | {"threshold": 0.95, "loss_threshold": 1e-3}, table)
        self.drawn = runs

    def runs(self, *roles, keep=lambda parameters: True):
        return [run for role in roles for run in self.drawn[role] if keep(run.parameters)]
