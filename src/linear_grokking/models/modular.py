"""A net that learns addition modulo p: f(a, b) = W(U_a + V_b)², squared for each hidden unit.

The network and its quadratic activation are those of Gromov (2023), arXiv 2301.02679; neither of
the two papers trains it.  Parameters are the embeddings (R, 2p, d_h), U stacked on V, and the
readout (R, d_h, p): NumPy arrays or torch tensors, realizations on the leading axis.
"""

from dataclasses import dataclass

from linear_grokking.data.draws import ModularData
from linear_grokking.models.contract import Params, unscaled
from linear_grokking.runtime.arrays import Array, array_namespace
from linear_grokking.shapes import Float


@dataclass(frozen=True)
class ModularModel:
    """The net on its pairs (a, b).

    Attributes
    ----------
    data
        Training pairs, and all other pairs, on which generalization is measured.
    gamma
        Weight decay γ: the force -γθ on every weight.

    Raises
    ------
    ValueError
        Where γ is negative or not finite.
    """

    data: ModularData
    gamma: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.gamma < float("inf"):
            raise ValueError(f"gamma = {self.gamma}: must be a finite number, at least 0")

    @property
    def decays(self) -> tuple[float, float]:
        """See `contract.Model`: γ for both."""
        return (self.gamma, self.gamma)

    def gradient(self, params: Params) -> Params:
        """Return the gradient of the mean squared error over pairs and outputs."""
        embeddings, readout = params
        inputs, targets = self.data.inputs, self.data.targets
        transposed = array_namespace(inputs).matrix_transpose
        hidden = inputs @ embeddings
        squares = hidden * hidden
        slope = squares @ readout
        slope -= targets
        slope *= 2.0 / (targets.shape[-2] * targets.shape[-1])
        hidden *= slope @ transposed(readout)
        hidden *= 2.0
        return transposed(inputs) @ hidden, transposed(squares) @ slope

    def scaled_gradient(self, params: Params) -> Params:
        """See `contract.Model.scaled_gradient`: L = 0, as this gradient does not underflow."""
        return unscaled(self.gradient(params))

    def observables(self, params: Params) -> dict[str, Float[Array, " R"]]:
        """Return losses and accuracies, each (R,).

        The loss is the mean squared error per output; a pair counts as right if its largest
        output is that of its sum.
        """
        measured = {}
        for name, inputs, targets in (
            ("train", self.data.inputs, self.data.targets),
            ("gen", self.data.fresh, self.data.fresh_targets),
        ):
            outputs = self.outputs(params, inputs)
            xp = array_namespace(outputs)
            right = xp.argmax(outputs, axis=-1) == xp.argmax(targets, axis=-1)
            measured[f"{name}_loss"] = xp.mean((outputs - targets) ** 2, axis=(-2, -1))
            measured[f"{name}_accuracy"] = xp.mean(xp.astype(right, xp.float64), axis=-1)
        return measured

    def outputs(self, params: Params, inputs: Float[Array, "R N two_p"]) -> Float[Array, "R N p"]:
        """Return f (R, N, p) of pairs (R, N, 2p)."""
        embeddings, readout = params
        return (inputs @ embeddings) ** 2 @ readout

    def integrands(self, params: Params) -> dict[str, Float[Array, " R"]]:
        """See `contract.Model.integrands`: there are none."""
        return {}

    def stretches(self) -> None:
        """See `contract.Model.stretches`: there is no such loop."""
        return None
