"""Amplified slow gradients against a larger learning rate, in plain PyTorch.

Lee et al. (2024) add κ times a moving average of the gradients to the gradient.  On Paper A's
linear regression this has the effect of a learning rate that is (1 + κ) times larger.
"""

import torch

torch.manual_seed(0)
d, lambda_, eta, alpha, kappa = 500, 0.8, 0.01, 0.98, 2.0
inputs = torch.randn(round(d / lambda_), d)
teacher, start = torch.randn(2, d) / (2 * d) ** 0.5
labels = inputs @ teacher


def losses(rate, factor, steps):
    """Yield the generalization loss at some steps."""
    student, average = start.clone(), None
    for step in range(max(steps) + 1):
        if step in steps:
            yield torch.sum((student - teacher) ** 2).item()
        gradient = 2 * inputs.T @ (inputs @ student - labels) / len(inputs)
        average = gradient if average is None else alpha * average + (1 - alpha) * gradient
        student = student - rate * (gradient + factor * average)


steps = [300, 1000, 3000]
print("step  Grokfast  (1 + κ)η         η")
ours, larger, plain = losses(eta, kappa, steps), losses(3 * eta, 0, steps), losses(eta, 0, steps)
for step, *found in zip(steps, ours, larger, plain, strict=True):
    print(f"{step:4d}" + "".join(f"  {loss:8.2e}" for loss in found))
