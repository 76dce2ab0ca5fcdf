"""Colours that people with other colour vision, and readers of grey prints, tell apart."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from linear_grokking.figures import style

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
KINDS = (style.BLUE, *style.PALETTE[:3])
RAMP = (style.BLUE, *style.RAMP)


def lab(colour, vision="normal"):
    """Return CIE L*a*b* (D65) as someone with this vision sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(VISION[vision] @ linear, 0.0, 1.0)
    x, y, z = np.cbrt(np.maximum(TO_XYZ @ seen / [0.9505, 1.0, 1.089], 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("colours", [KINDS, RAMP])
def test_colours_that_stand_side_by_side_differ(colours, vision):
    for one, other in itertools.combinations(colours, 2):
        assert np.linalg.norm(lab(one, vision) - lab(other, vision)) > 20, (one, other)


@pytest.mark.parametrize("colours", [KINDS[:3], RAMP])
def test_they_differ_in_grey(colours):
    lightness = sorted(lab(colour)[0] for colour in colours)
    assert min(np.diff(lightness)) > 9, lightness


def test_the_standard_run_is_blue_everywhere():
    assert style.colours("lambda", [0.4, 0.48, 0.55])[0.48] == style.BLUE
    assert style.colours("sigma", [1, 2, 5, 10])[5] == style.BLUE
    assert style.colours("epsilon", [1e-4, 1e-3, 1e-2])[1e-3] == style.BLUE
    assert style.BLUE not in style.colours("n_train", [50, 100, 200]).values()


def test_ordered_values_go_from_light_to_dark():
    for n in range(2, 8):
        colours = style.colours("n_train", list(range(n)))
        lightness = [lab(colour)[0] for colour in colours.values()]
        assert len(set(colours.values())) == n and lightness == sorted(lightness, reverse=True)
