"""Claims on a grid that is not the papers': undecided or told apart, and no failure."""

from types import SimpleNamespace

import pytest

from linear_grokking.claims import registry
from linear_grokking.claims.verdict import Claim, Measurement


def some_claim(run_ids=()):
    measured = Measurement.exact(1.0)
    return Claim("A1-some", "A1", "ours", "One.", 1.0, (0.5, 1.5), measured, run_ids=run_ids)


@pytest.mark.parametrize("error", [ValueError("max() arg is empty"), KeyError("0.9")])
def test_a_grid_without_what_a_claim_needs_leaves_it_undecided(monkeypatch, error):
    def time_grows(evidence):
        """Check that the time grows.

        At length.
        """
        yield some_claim()
        raise error

    monkeypatch.setattr(registry, "_MAKERS", {"A1": [time_grows]})
    made = list(registry.collect(SimpleNamespace(figure="A1")))
    assert [claim.id for claim in made] == ["A1-some", "A1-time-grows"]
    assert [claim.verdict for claim in made] == ["confirmed", "undecided"]
    assert made[1].statement == "Check that the time grows."
    assert str(error) in made[1].note
    assert len(registry.frame(made)) == 2


def test_other_errors_are_not_hidden(monkeypatch):
    def broken(evidence):
        raise TypeError("a mistake in the code")
        yield

    monkeypatch.setattr(registry, "_MAKERS", {"A1": [broken]})
    with pytest.raises(TypeError, match="a mistake"):
        list(registry.collect(SimpleNamespace(figure="A1")))


def test_claims_on_different_runs_are_told_apart():
    claims = [some_claim(["0123456789abcdef"]), some_claim(["fedcba9876543210"])]
    assert list(registry.frame(claims)["id"]) == ["A1-some-01234567", "A1-some-fedcba98"]
    assert list(registry.frame(claims[:1])["id"]) == ["A1-some"]
    with pytest.raises(ValueError, match="different ids"):
        registry.frame([claims[0], claims[0]])
