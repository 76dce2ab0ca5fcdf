"""What the figures of Paper B's two-point model share."""

from typing import Any

from pydantic import Field

from linear_grokking.config.fields import Positive, Real
from linear_grokking.config.figure_options import FigureOptions
from linear_grokking.figures import style
from linear_grokking.theory.two_point import TwoPoint

TWO_POINT, FULL = "two_point", "logistic"
"""Values of the table's column ``model`` in figures that show both models."""


class TwoPointOptions(FigureOptions):
    """Learning rate and start of the flow."""

    eta: Positive = Field(0.01, description="Learning rate η.")
    s0: Real = Field(0.1, description="Initial weight.")
    b0: Real = Field(0.0, description="Initial bias.")

    def problem(self, distance: Any, sigma: Any) -> TwoPoint:
        """Return the theory's problem at the distance 1-2λ from the edge, and σ."""
        return TwoPoint(distance, sigma, self.eta, self.s0, self.b0)


def lambda_at(distance: Any) -> Any:
    """Return λ at the distance 1-2λ from the edge of separability."""
    return (1.0 - distance) / 2.0


def distance_label(lambda_: float) -> str:
    """Write ``1-2λ = value`` for a legend."""
    return rf"$1-2\lambda$ = {style.number(round(1.0 - 2.0 * lambda_, 12))}"
