"""The pass over inputs without a matrix: products are drawn as training asks for them."""

from collections.abc import Mapping, Sequence

import numpy as np

from linear_grokking.data.deferred import DeferredSet
from linear_grokking.models.passes.products import Pass
from linear_grokking.shapes import Float


class DeferredPass(Pass):
    """A pass over sets of one law and size, one realization after another, on the host.

    Vectors are in the coordinates of each set (`data.deferred`).

    Parameters
    ----------
    sets
        One for each realization.
    """

    def __init__(self, sets: Sequence[DeferredSet]) -> None:
        self.shape = len(sets), sets[0].n, sets[0].width
        self.xp = np
        self._sets = tuple(sets)

    def outputs(self, vectors: Float[np.ndarray, "*S d"]) -> Float[np.ndarray, "*S N"]:
        """See `Pass.outputs`."""
        found = [each.outputs(vectors[..., k, :]) for k, each in enumerate(self._sets)]
        return np.stack(found, axis=-2)

    def pull_back(self, weights: Float[np.ndarray, "R N"]) -> Float[np.ndarray, "R d"]:
        """See `Pass.pull_back`."""
        return np.stack([s.pull_back(w) for s, w in zip(self._sets, weights, strict=True)])

    def input_size(self) -> float:
        """See `Pass.input_size`."""
        return float(np.sqrt(np.mean([each.input_size() ** 2 for each in self._sets])))

    def isotropic(self, rng: np.random.Generator) -> Float[np.ndarray, "R d"]:
        """See `Pass.isotropic`."""
        return np.stack([each.isotropic(rng) for each in self._sets])

    def state(self) -> dict[str, np.ndarray]:
        """Return what `restore` needs: all that was drawn."""
        states = [each.state() for each in self._sets]
        return {f"{k} {name}": v for k, state in enumerate(states) for name, v in state.items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        for k, each in enumerate(self._sets):
            mine = f"{k} "
            each.restore({n.removeprefix(mine): v for n, v in state.items() if n.startswith(mine)})
