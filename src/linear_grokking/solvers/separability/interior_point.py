"""The interior-point solver (PIQP) for this package's quadratic and linear programs."""

import piqp


def tight_solver(tolerance: float) -> piqp.DenseSolver:
    """Return an interior-point solver with this absolute and relative tolerance."""
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = tolerance
    solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = tolerance
    # By default PIQP declares margins below about 1e-5 of the points' size infeasible.
    solver.settings.eps_primal_inf = 1e-12
    return solver
