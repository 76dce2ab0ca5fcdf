"""Models: loss, gradient and observables; no model knows how it is trained."""
