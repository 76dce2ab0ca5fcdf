"""Paper A's linear regression on mini-batches, in plain PyTorch, compared with the recursion.

The noise of the batches delays training; it does not make generalization earlier.
"""

import torch

from linear_grokking.theory.mini_batches import mini_batch_losses

torch.manual_seed(0)
d, lambda_, eta, batch_size = 1000, 0.8, 0.01, 25
inputs = torch.randn(round(d / lambda_), d)
teacher, student = torch.randn(2, d) / (2 * d) ** 0.5
labels = inputs @ teacher

steps = [30, 100, 300, 1000]
expected = mini_batch_losses(steps, lambda_, eta, d, batch_size)
print("step  training  formula  generalization  formula")
for step in range(max(steps) + 1):
    if step in steps:
        train = torch.mean((inputs @ student - labels) ** 2).item()
        gen = torch.sum((student - teacher) ** 2).item()
        theory = expected.train[steps.index(step)], expected.gen[steps.index(step)]
        print(f"{step:4d}  {train:8.2e}  {theory[0]:7.1e}  {gen:14.2e}  {theory[1]:7.1e}")
    batch = torch.randperm(len(inputs))[:batch_size]
    x, y = inputs[batch], labels[batch]
    student = student - eta * 2 * x.T @ (x @ student - y) / batch_size
