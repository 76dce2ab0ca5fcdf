"""Paper A's linear regression with momentum, in plain PyTorch, compared with the closed form.

Polyak's choice is η = ½ and β = λ: L_gen = λ^t and L_tr = (1 + λ) λ^t.  Training comes last.
"""

import torch

from linear_grokking.theory.linear_optimizers import tuned_momentum_losses

torch.manual_seed(0)
d, lambda_ = 2000, 0.5
inputs = torch.randn(round(d / lambda_), d)
teacher, student = torch.randn(2, d) / (2 * d) ** 0.5
labels = inputs @ teacher
student.requires_grad_()
optimizer = torch.optim.SGD([student], lr=0.5, momentum=lambda_)

print("step  training  formula  generalization  formula")
for step in range(13):
    loss = torch.mean((inputs @ student - labels) ** 2)
    train, gen = loss.item(), torch.sum((student - teacher) ** 2).item()
    expected = tuned_momentum_losses(step, lambda_)
    print(f"{step:4d}  {train:8.2e}  {expected.train:7.1e}  {gen:14.2e}  {expected.gen:7.1e}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
