"""Claims that the configured runs cannot decide: said in the table, and no failure."""

from types import SimpleNamespace

import pytest

from linear_grokking.claims import registry
from linear_grokking.claims.verdict import Claim, Measurement


def some_claim():
    return Claim("A1-some", "A1", "ours", "One.", 1.0, (0.5, 1.5), Measurement.exact(1.0))


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
