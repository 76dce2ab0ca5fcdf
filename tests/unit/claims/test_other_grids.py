"""Claims on a grid that is not the papers': undecided or told apart, and no failure."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from linear_grokking.claims import registry
from linear_grokking.claims.verdict import Claim, Measurement, Undecidable, ours, paper_a


def some_claim(*run_ids):
    runs = tuple(SimpleNamespace(run_id=each) for each in run_ids)
    return Claim("A1-some", "One.", Measurement(1.0, 1.0, 1.0, 3, runs).near(1.0, 0.5))


@pytest.fixture
def evidence():
    request = {"figure": "A1", "options": {}, "threshold": 0.95, "loss_threshold": 1e-3}
    run = {"run_id": "a", "parameters": {"lambda": 0.5}, "seed": 0, "realizations": 3}
    run |= {"made_of": "0"}
    table = pd.DataFrame({"panel": ["loss"], "series": ["train"], "source": ["theory"]})
    return registry.Evidence(Path(), {**request, "runs": {"dynamics": [run]}}, table)


def test_a_grid_without_what_a_claim_needs_leaves_it_undecided(monkeypatch, evidence):
    monkeypatch.setattr(registry, "_MAKERS", {})

    @registry.claims_of("A1", statement="The time grows.", source=ours())
    def time_grows(evidence):
        yield some_claim()
        raise Undecidable("no λ above 1")

    made = list(registry.collect(evidence))
    assert [claim.id for claim in made] == ["A1-some", "A1-time-grows"]
    assert [claim.verdict for claim in made] == ["confirmed", "undecided"]
    assert made[1].statement == "The time grows."
    assert "no λ above 1" in made[1].note
    assert len(registry.frame(made)) == 2


@pytest.mark.parametrize(
    "look",
    [
        lambda evidence: evidence.runs("dynamics", keep=lambda p: p["lambda"] > 1),
        lambda evidence: evidence.rows("accuracy"),
        lambda evidence: evidence.rows("loss", "generalization"),
    ],
)
def test_looking_for_what_is_not_there_leaves_a_claim_undecided(monkeypatch, evidence, look):
    def maker(evidence):
        look(evidence)
        yield some_claim()

    monkeypatch.setattr(registry, "_MAKERS", {"A1": [registry.Registered(maker, "One.", ours())]})
    assert [claim.verdict for claim in registry.collect(evidence)] == ["undecided"]


def test_claims_are_of_their_makers_source_unless_they_name_their_own(monkeypatch, evidence):
    monkeypatch.setattr(registry, "_MAKERS", {})

    @registry.claims_of("A1", statement="The time grows.", source=paper_a("Sec. 3.1"))
    def maker(evidence):
        yield some_claim()
        yield replace(some_claim(), source=ours())
        raise Undecidable("no λ above 1")

    sources = [claim.source for claim in registry.collect(evidence)]
    assert list(map(str, sources)) == ["Paper A, Sec. 3.1", "ours", "Paper A, Sec. 3.1"]


def test_a_loop_over_nothing_leaves_a_claim_undecided(monkeypatch, evidence):
    nothing = registry.Registered(lambda evidence: (), "One.", ours())
    monkeypatch.setattr(registry, "_MAKERS", {"A1": [nothing]})
    assert [claim.verdict for claim in registry.collect(evidence)] == ["undecided"]


@pytest.mark.parametrize("error", [ValueError, KeyError, ZeroDivisionError, TypeError])
def test_other_errors_are_not_hidden(monkeypatch, evidence, error):
    def broken(evidence):
        raise error("a mistake in the code")
        yield

    monkeypatch.setattr(registry, "_MAKERS", {"A1": [registry.Registered(broken, "", ours())]})
    with pytest.raises(error, match="a mistake"):
        list(registry.collect(evidence))


def test_claims_on_different_runs_are_told_apart():
    claims = [some_claim("0123456789abcdef"), some_claim("fedcba9876543210")]
    assert list(registry.frame(claims)["id"]) == ["A1-some-01234567", "A1-some-fedcba98"]
    assert list(registry.frame(claims[:1])["id"]) == ["A1-some"]
    with pytest.raises(ValueError, match="different ids"):
        registry.frame([claims[0], claims[0]])
