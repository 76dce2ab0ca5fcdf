"""The interior-point solver (PIQP) of this package's quadratic programmes."""

import piqp


def tight_solver(tolerance: float) -> piqp.DenseSolver:
    """Return an interior-point solver with this absolute and relative tolerance."""
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = tolerance
    solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = tolerance
    # By default margins below some 1e-5 of the points' size are declared infeasible.
    solver.settings.eps_primal_inf = 1e-12
    return solver
