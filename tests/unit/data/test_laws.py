"""A law is found by its name in the configuration, with the parameters that it names."""

from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest

from linear_grokking.data.laws import (
    LAWS,
    Anisotropic,
    Gaussian,
    InputLaw,
    Mixture,
    TwoGaussians,
    law_keys,
    law_of,
)
from linear_grokking.data.wider_laws import (
    Elliptical,
    Rademacher,
    ReluFeatures,
    StudentT,
    TanhFeatures,
    Uniform,
)

PARAMETERS = {
    "sigma": 2.0,
    "degrees_of_freedom": 4.0,
    "radius_ratio": 3.0,
    "far_share": 0.3,
    "latent_dim": 4,
    "condition": 10.0,
    "mixture_mean": 3.0,
    "mu": 0.2,
    "sigma_a": 0.05,
}
EXPECTED = {
    "gaussian": Gaussian(2.0),
    "rademacher": Rademacher(2.0),
    "uniform": Uniform(2.0),
    "student_t": StudentT(2.0, degrees_of_freedom=4.0),
    "elliptical": Elliptical(2.0, radius_ratio=3.0, far_share=0.3),
    "tanh_features": TanhFeatures(2.0, latent_dim=4),
    "relu_features": ReluFeatures(2.0, latent_dim=4),
    "anisotropic": Anisotropic(2.0, condition=10.0),
    "mixture": Mixture(2.0, mixture_mean=3.0),
    "two_gaussians": TwoGaussians(2.0, mu=0.2, sigma_a=0.05),
}


def test_every_law_is_expected_here():
    assert LAWS.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", LAWS)
class TestEveryLaw:
    def test_is_found_by_its_name(self, name):
        others = {"model": "logistic", "eta": 0.01}
        found = law_of({"law": name, **PARAMETERS, **others})
        assert found == EXPECTED[name]
        assert found.name == name and isinstance(found, InputLaw)

    def test_asks_for_its_own_parameters_only(self, name):
        own = {key: PARAMETERS[key] for key in ("sigma", *law_keys(name))}
        assert own == vars(EXPECTED[name])
        assert law_of({"law": name, **own}) == EXPECTED[name]
        for missing in own:
            with pytest.raises(KeyError, match=missing):
                law_of({"law": name, **{key: own[key] for key in own if key != missing}})

    def test_every_parameter_matters_to_the_inputs(self, name):
        def draw(law):
            out = np.empty((50, 3))
            law.draw(np.random.default_rng(0), out)
            return out

        expected = draw(EXPECTED[name])
        for field in fields(LAWS[name]):
            kept = PARAMETERS[field.name]
            changed = {**PARAMETERS, field.name: type(kept)(1.5 * kept)}
            assert not np.array_equal(draw(law_of({"law": name, **changed})), expected)

    def test_its_stream_is_that_of_no_other(self, name):
        keys = [tuple(sorted(law.key().items())) for law in EXPECTED.values()]
        assert keys.count(tuple(sorted(EXPECTED[name].key().items()))) == 1

    def test_cannot_be_changed(self, name):
        with pytest.raises(FrozenInstanceError):
            EXPECTED[name].sigma = 1.0


def test_sigma_is_no_part_of_a_stream():
    for law in (Gaussian, lambda s: Mixture(s, mixture_mean=2.0 * s)):
        assert law(1.0).key() == law(5.0).key()
    assert Mixture(1.0, 2.0).key() != Mixture(1.0, 3.0).key()


def test_what_is_no_law_is_refused():
    with pytest.raises(KeyError, match="cauchy"):
        law_of({"law": "cauchy", "sigma": 1.0})
    with pytest.raises(TypeError, match="abstract"):
        InputLaw(1.0)
