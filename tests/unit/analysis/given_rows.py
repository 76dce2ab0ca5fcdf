"""Rows drawn from known laws."""

import numpy as np


def one_label(seed, n, lambda_, sigma, *, along=0.0):
    """Paper B's points with labels of both signs, for training on 4/5 of the rows.

    The first feature is the label plus noise of standard deviation ``along``; the others, times
    minus the label, are Gaussian.
    """
    rng = np.random.default_rng(seed)
    labels = rng.choice([-1, 1], n)
    gaussian = sigma * rng.standard_normal((n, int(lambda_ * 0.8 * n)))
    first = labels + along * rng.standard_normal(n)
    return np.column_stack([first, -labels[:, np.newaxis] * gaussian]), labels


def teacher(seed, n, lambda_, noise=0.0, inputs=None):
    """Labels of a random teacher on Gaussian rows, or on given inputs."""
    rng = np.random.default_rng(seed)
    if inputs is None:
        inputs = rng.standard_normal((n, int(lambda_ * 0.8 * n)))
    d = inputs.shape[1]
    labels = inputs @ rng.standard_normal(d) / np.sqrt(d)
    return inputs, labels + noise * rng.standard_normal(len(labels))
