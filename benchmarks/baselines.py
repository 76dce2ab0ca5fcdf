"""Plainly written code to compare with: what a paper's repository usually has.

Loops take a given number of steps and do nothing else; their callers extrapolate to the number
that the work needs.
"""

import numpy as np
import torch
from scipy.integrate import RK45
from scipy.optimize import linprog
from torch import nn

TEST_EVERY = 100
"""Steps between two evaluations of the test loss."""


class NaiveLogistic:
    """nn.Linear with bias, SGD, backward, step; the test loss every `TEST_EVERY` steps."""

    def __init__(self, inputs: np.ndarray, test: np.ndarray, eta: float):
        self._inputs, self._test = torch.from_numpy(inputs), torch.from_numpy(test)
        self._model = nn.Linear(inputs.shape[1], 1)
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=eta)
        # Every label is -1: log(1 + e^f).
        self._loss = lambda outputs: nn.functional.softplus(outputs).mean()

    def steps(self, count: int) -> None:
        """Train for a number of steps."""
        for step in range(count):
            self._optimizer.zero_grad()
            loss = self._loss(self._model(self._inputs))
            loss.backward()
            self._optimizer.step()
            if step % TEST_EVERY == 0:
                with torch.no_grad():
                    self._loss(self._model(self._test)).item()


class TunedLogistic:
    """Gradient descent by hand: two matrix products in float32 and a vectorized slope."""

    def __init__(self, inputs: np.ndarray, eta: float):
        self._inputs = inputs
        self._weights = np.zeros(inputs.shape[1], np.float32)
        self._bias = 0.0
        self._eta = eta

    def steps(self, count: int) -> None:
        """Train for a number of steps."""
        n = len(self._inputs)
        for _ in range(count):
            outputs = self._inputs @ self._weights + np.float32(self._bias)
            slopes = 1.0 / (1.0 + np.exp(-outputs))
            self._weights -= np.float32(self._eta / n) * (slopes @ self._inputs)
            self._bias -= self._eta * float(slopes.mean())


class NaiveLinear:
    """Paper A's student as nn.Linear without bias, SGD with weight decay, and a test loss."""

    def __init__(
        self,
        inputs: np.ndarray,
        teacher: np.ndarray,
        student: np.ndarray,
        test: np.ndarray,
        eta: float,
        gamma: float,
    ):
        d_in, d_out = teacher.shape
        self._inputs, self._test = (torch.from_numpy(x.astype(np.float32)) for x in (inputs, test))
        target = torch.from_numpy(teacher.astype(np.float32))
        self._labels, self._test_labels = self._inputs @ target, self._test @ target
        self._model = nn.Linear(d_in, d_out, bias=False)
        with torch.no_grad():
            self._model.weight.copy_(torch.from_numpy(student.T.astype(np.float32)))
        self._optimizer = torch.optim.SGD(
            self._model.parameters(), lr=eta, weight_decay=gamma / d_out
        )

    def steps(self, count: int) -> None:
        """Train for a number of steps."""
        for step in range(count):
            self._optimizer.zero_grad()
            loss = nn.functional.mse_loss(self._model(self._inputs), self._labels)
            loss.backward()
            self._optimizer.step()
            if step % TEST_EVERY == 0:
                with torch.no_grad():
                    nn.functional.mse_loss(self._model(self._test), self._test_labels).item()


class GramDescent:
    """Gradient descent of the deviation D = S - T with the covariance, in float64."""

    def __init__(
        self,
        inputs: np.ndarray,
        teacher: np.ndarray,
        student: np.ndarray,
        eta: float,
        gamma: float,
    ):
        d_out = teacher.shape[1]
        self._step = (2.0 * eta / d_out / len(inputs)) * (inputs.T @ inputs)
        self._teacher, self._decay = teacher, eta * gamma / d_out
        self.deviation = student - teacher

    def steps(self, count: int) -> None:
        """Train for a number of steps."""
        change = np.empty_like(self.deviation)
        for _ in range(count):
            np.matmul(self._step, self.deviation, out=change)
            if self._decay:
                change += self._decay * (self.deviation + self._teacher)
            self.deviation -= change


class NaiveTwoLayer:
    """Two nn.Linear layers (identity between them), SGD on the mean squared error."""

    def __init__(
        self,
        inputs: np.ndarray,
        teacher: tuple[np.ndarray, np.ndarray],
        student: tuple[np.ndarray, np.ndarray],
        eta: float,
    ):
        self._inputs = torch.from_numpy(inputs.astype(np.float32))
        first, second = (torch.from_numpy(layer.astype(np.float32)) for layer in teacher)
        self._labels = self._inputs @ first @ second
        self._model = nn.Sequential(*(nn.Linear(*layer.shape, bias=False) for layer in student))
        with torch.no_grad():
            for linear, layer in zip(self._model, student, strict=True):
                linear.weight.copy_(torch.from_numpy(layer.T.astype(np.float32)))
        self._optimizer = torch.optim.SGD(self._model.parameters(), lr=eta)

    def steps(self, count: int) -> None:
        """Train for a number of steps."""
        for _ in range(count):
            self._optimizer.zero_grad()
            nn.functional.mse_loss(self._model(self._inputs), self._labels).backward()
            self._optimizer.step()


def adam_limit_direction(
    points: np.ndarray, solution: np.ndarray, lr: float, error: float, most: int
) -> int | None:
    """Minimize mean e^{S·x} by Adam in float64; return the steps to a relative error of S.

    None if `most` steps are not enough.  Comparing with the known solution costs the baseline
    no more than a stopping criterion of its own would.
    """
    inputs = torch.from_numpy(points)
    known = torch.from_numpy(solution)
    direction = torch.zeros(points.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([direction], lr=lr)
    size = known.norm()
    for step in range(most):
        optimizer.zero_grad()
        torch.exp(inputs @ direction).mean().backward()
        optimizer.step()
        if step % 10 == 9 and (direction.detach() - known).norm() < error * size:
            return step + 1
    return None


def highs_separates(points: np.ndarray) -> bool:
    """Tell by linear programming whether some S has S·x_i ≤ -1 for all i."""
    n, d = points.shape
    result = linprog(
        np.zeros(d), A_ub=points, b_ub=-np.ones(n), bounds=[(None, None)] * d, method="highs"
    )
    return result.status == 0


def rk45_gradients(inputs: np.ndarray, eta: float, t_max: float, rtol: float) -> int:
    """Integrate the logistic flow in s = log(1 + t) by SciPy's RK45; return the gradients."""
    inputs = inputs.astype(np.float64)
    n, d = inputs.shape

    def rate(s: float, theta: np.ndarray) -> np.ndarray:
        slopes = 1.0 / (1.0 + np.exp(-(inputs @ theta[:-1] + theta[-1])))
        gradient = np.append(slopes @ inputs, slopes.sum()) / n
        return -eta * np.exp(s) * gradient

    solver = RK45(rate, 0.0, np.zeros(d + 1), np.log1p(t_max), rtol=rtol, atol=rtol * 1e-2)
    while solver.status == "running":
        solver.step()
    return solver.nfev
