"""Claims on the smoke configuration: which its grid does not hold, and what they speak of."""

import functools
import tomllib

import pytest

from linear_grokking.claims import registry
from linear_grokking.claims.registry import Evidence
from linear_grokking.report.summary import POINTS
from linear_grokking.workflow.plan import targets

NOT_HELD = {
    # Its sets are so small that √N (1-2λ) is below 2 at every λ.
    "B1": ["B1-limit-norm", "B1-divergence"],
    "B6": ["B6-positive"],
    "B7": ["B7-positive", "B7-positive-projection"],
    "B17": ["B17-limit-norm-of-largest"],
    # Not all of its sets reach the accuracy.
    "B19": ["B19-linear-not-exponential"],
    # Its two d_out lie below the maximum.
    "A2": ["A2-rise-and-fall"],
    # At its sizes few modes carry the loss.
    "A9": ["A9-scatter"],
    # No σ is 1; at fewer than two σ, and from no ‖S₀‖, all draws generalize.
    "B9": ["B9-no-plateau-without", "B9-sigma"],
    "B11": ["B11-initial-conditions"],
    # Its one σ_A is large.
    "B14": ["B14-small-spread"],
    # No fraction is 0.45.
    "C1": ["C1-critical-fraction"],
}
"""By figure, the claims that are undecided for want of the runs that they are about."""

OPENING = tomllib.loads(POINTS.read_text(encoding="utf-8"))
SAID = [point["claim"] for part in ("holds", "fails") for point in OPENING[part]]


@pytest.fixture(scope="module")
def claims_of(smoke):
    """Give a figure's claims, collected once, under a threshold that is not that of the papers."""
    root, plan = smoke

    @functools.cache
    def collected(figure):
        evidence = Evidence.read(root, figure, targets.table(plan, figure).made_of)
        evidence.threshold = 0.9
        return list(registry.collect(evidence))

    return collected


@pytest.mark.parametrize("figure", registry.registered())
def test_claims_that_the_grid_does_not_hold_are_known_by_name(claims_of, figure):
    not_held = [claim.id for claim in claims_of(figure) if "do not suffice" in claim.note]
    assert not_held == NOT_HELD.get(figure, [])
    assert {claim.figure for claim in claims_of(figure)} == {figure}


@pytest.mark.parametrize("figure", registry.registered())
def test_claims_name_the_configured_threshold(claims_of, figure):
    made = claims_of(figure)
    assert [claim.id for claim in made if "95 %" in claim.statement + claim.note] == []


@pytest.mark.parametrize("figure", sorted({claim.partition("-")[0] for claim in SAID}))
def test_the_claims_that_the_report_opens_with_are_made(claims_of, figure):
    made = {claim.id for claim in claims_of(figure)}
    assert {claim for claim in SAID if claim.startswith(f"{figure}-")} <= made
