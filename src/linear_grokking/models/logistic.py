"""Paper B's model: logistic classification by f(x) = S·x + b (Sec. 3.1).

Parameters are (weights (R, d), bias (R,)) in float64, realizations on the leading axis,
NumPy arrays or torch tensors; products with the inputs are taken in the inputs' dtype.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from linear_grokking.data.laws import InputLaw
from linear_grokking.models import expectations
from linear_grokking.models.contract import Params
from linear_grokking.models.losses import LARGEST_LOSS, Loss
from linear_grokking.models.passes import Pass, make_pass
from linear_grokking.models.passes.weighing import LinearWeighing
from linear_grokking.runtime.arrays import Array, array_namespace, to_host
from linear_grokking.shapes import Float

if TYPE_CHECKING:
    from linear_grokking.models.passes.stretches import Stretches


class LogisticModel:
    """Logistic classification of one training set per realization.

    Parameters
    ----------
    inputs : (R, N, d)
        An array, or an object in its place (`passes.products.Pass`).
    labels : (R, N) of ±1
        Assigned labels.
    law
        Law of the inputs, for the observables on fresh data.
    loss
        ℓ.
    bias
        Whether b is trained; else f = S·x and b keeps its initial value.
    label_fraction
        Probability r that fresh data keeps its law's label; else it has the opposite one.
    fresh : (R, M, d), optional
        Fresh inputs with the label -1 to measure generalization on, in place of the
        expectation over the law.
    decays
        Weight decay of S and of b; see `contract.Model`.
    threads
        See `passes.make_pass`.

    Attributes
    ----------
    data
        The pass over the inputs.
    realizations, n_train, d
        R, N, d.
    decays
        Weight decay of S and of b, 0 for a bias that is not trained.
    xp
        The array library of the inputs, in its standard form.
    input_size
        Root mean square of the inputs' entries.
    may_have_minimum
        Whether the loss can have its minimum at finite parameters: it cannot with one label and
        a bias that does not decay.

    Raises
    ------
    ValueError
        Where shapes disagree, labels are not ±1, or a decay is negative or not finite.
    """

    def __init__(
        self,
        inputs: Float[Array, "..."] | Pass,
        labels: Float[Array, "..."],
        law: InputLaw,
        *,
        loss: Loss,
        bias: bool = True,
        label_fraction: float = 1.0,
        fresh: Float[Array, "R M d"] | None = None,
        decays: tuple[float, float] = (0.0, 0.0),
        threads: int = 1,
    ) -> None:
        if len(inputs.shape) != 3 or tuple(labels.shape) != tuple(inputs.shape[:2]):
            raise ValueError(
                f"inputs {tuple(inputs.shape)}, labels {tuple(labels.shape)}: must be of shapes "
                "(realizations, samples, d) and (realizations, samples)"
            )
        if fresh is not None and label_fraction < 1:
            raise ValueError("fresh: allowed only with label_fraction=1")
        xp = array_namespace(labels)
        if bool(xp.any(xp.abs(labels) != 1)):
            raise ValueError("labels: must be -1 or +1")
        if not all(0 <= decay < float("inf") for decay in decays):
            raise ValueError(f"decays = {decays}: must be finite numbers, at least 0")
        self.has_bias = bias
        self.decays = (decays[0], decays[1] if bias else 0.0)
        self.data = make_pass(inputs, threads)
        self.realizations, self.n_train, self.d = self.data.shape
        self.input_size = self.data.input_size()
        self.xp = xp
        self._law = law
        self._loss = loss
        self._label_fraction = label_fraction
        self._signs = -xp.astype(labels, xp.float64)
        self._one_label = not bool(xp.any(labels > 0))  # then all signs are 1
        self.may_have_minimum = not bias or not self._one_label or self.decays[1] > 0
        self._fresh_pass = None if fresh is None else make_pass(fresh, threads)

    def gradient(self, params: Params) -> Params:
        """Return the gradient of the mean training loss, (R, d) and (R,)."""
        return self.gradient_and_outputs(*params)[:2]

    def scaled_gradient(self, params: Params) -> Params:
        """See `contract.Model.scaled_gradient`; e^L is the largest slope of a sample's loss."""
        weights, bias = params
        pull_back, totals, scale = self.data.scaled(weights, bias, self._loss, self._signs)
        return *self._means(pull_back, totals), scale

    def gradient_and_outputs(
        self, weights: Float[Array, "R d"], bias: Float[Array, " R"]
    ) -> tuple[Float[Array, "R d"], Float[Array, " R"], Float[Array, "R N"]]:
        """Return the gradient of the mean training loss and the outputs (R, N), in one pass.

        The gradient with respect to b is 0 where the model has no bias.
        """
        outputs, pull_back, totals = self.data(weights, bias, self._loss, self._signs)
        return *self._means(pull_back, totals), outputs

    def curvatures(self, outputs: Float[Array, "R N"]) -> Float[Array, "R N"]:
        """Return ℓ'' of each sample, (R, N), from the training outputs."""
        return self._loss.curvature(self.xp, self._margins(outputs))

    def hessian_product(
        self,
        curvatures: Float[Array, "R N"],
        v: Float[Array, "R d"],
        v_bias: Float[Array, " R"],
    ) -> tuple[Float[Array, "R N"], Float[Array, "R d"], Float[Array, " R"]]:
        """Return the Hessian of the training loss times a vector, in one pass.

        Parameters
        ----------
        curvatures : (R, N)
            ℓ'' of each sample; see `curvatures`.
        v : (R, d)
        v_bias : (R,)

        Returns
        -------
        outputs : (R, N)
            X v + v_bias.
        product : (R, d)
        product_bias : (R,)
        """
        outputs, pull_back, totals = self.data(v, v_bias, LinearWeighing(), curvatures)
        return outputs, *self._means(pull_back, totals)

    def outputs(
        self, weights: Float[Array, "*S d"], bias: Float[Array, "*S"]
    ) -> Float[Array, "*S N"]:
        """Return the training outputs f (..., R, N) at weights (..., R, d) and biases (..., R)."""
        outputs = self.data.outputs(weights)
        outputs += bias[..., None]
        return outputs

    def stretches(self) -> "Stretches | None":
        """Return an object that takes many steps in one call, if the sets are small enough."""
        options = {"bias": self.has_bias, "decays": self.decays}
        return self.data.stretches(self._loss, self._signs, **options)

    def integrands(self, params: Params) -> dict[str, Float[Array, " R"]]:
        """Return the rate e^b of conformal time (Paper B, Sec. 3.3)."""
        return {"conformal_time": self.xp.exp(params[1])}

    def observables(self, params: Params) -> dict[str, Float[Array, " R"]]:
        """Return losses, accuracies, ‖S‖ and b, each (R,).

        Accuracies are the fractions of outputs with the sign of the assigned label.
        """
        return self.observables_from(self.measure(*params))

    def measure(
        self, weights: Float[Array, "*S d"], bias: Float[Array, "*S"]
    ) -> dict[str, Float[np.ndarray, "*S"] | Float[np.ndarray, "*S K"]]:
        """Return the few numbers that the observables are functions of.

        Parameters
        ----------
        weights : (..., R, d)
        bias : (..., R)
            There may be a leading axis of records.

        Returns
        -------
        mapping of (..., R) or (..., R, K) float64 arrays
        """
        xp = self.xp
        margins = self._margins(self.outputs(weights, bias))
        measuring = {
            "train_loss": xp.mean(self._loss.value(xp, margins), axis=-1),
            "train_accuracy": xp.mean(xp.astype(margins < 0, xp.float64), axis=-1),
            "weight_norm": xp.linalg.vector_norm(weights, axis=-1),
            "bias": bias,
        }
        if self._fresh_pass is not None:
            outputs = self._fresh_pass.outputs(weights) + bias[..., None]
            loss = xp.mean(self._loss.value(xp, outputs), axis=-1)
            measuring["gen_loss"] = xp.clip(loss, None, LARGEST_LOSS)
            measuring["gen_accuracy"] = xp.mean(xp.astype(outputs < 0, xp.float64), axis=-1)
            return to_host(measuring)
        measured = to_host({**measuring, "weights": weights})
        mixture = self._law.output_mixture(measured.pop("weights"), measured["bias"])
        return measured | {"means": mixture.means, "deviations": mixture.deviations}

    def observables_from(
        self, measured: Mapping[str, np.ndarray]
    ) -> dict[str, Float[np.ndarray, "*S"]]:
        """Return losses, accuracies, ‖S‖ and b, each (..., R), from what was measured."""
        observables = dict(measured)
        if self._fresh_pass is None:
            # Probabilities and labels of the components do not depend on the parameters.
            law = self._law.output_mixture(np.ones(self.d), np.zeros(()))
            found = {name: observables.pop(name) for name in ("means", "deviations")}
            mixture = expectations.assign_labels(replace(law, **found), self._label_fraction)
            observables["gen_loss"] = expectations.gen_loss(mixture, self._loss)
            observables["gen_accuracy"] = expectations.gen_accuracy(mixture)
        return observables

    def _margins(self, outputs: Array) -> Array:
        """Return -y f (..., R, N)."""
        return outputs if self._one_label else self._signs * outputs

    def _means(self, pull_back: Array, totals: Array) -> tuple[Array, Array]:
        """Return sums over the training set as means, 0 for a bias that is not trained."""
        totals = totals / self.n_train if self.has_bias else self.xp.zeros_like(totals)
        return pull_back / self.n_train, totals
