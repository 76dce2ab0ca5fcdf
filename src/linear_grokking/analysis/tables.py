"""Show an analysis as lines of text, or as plain values for JSON."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from linear_grokking.analysis.classification import ClassificationAnalysis, SetVerdict
from linear_grokking.analysis.regression import RegressionAnalysis

_WIDTH = 26


def table(found: ClassificationAnalysis | RegressionAnalysis) -> list[str]:
    """Return the analysis as lines of text."""
    if isinstance(found, ClassificationAnalysis):
        return _classification(found)
    return _regression(found)


def as_json(found: ClassificationAnalysis | RegressionAnalysis) -> dict[str, Any]:
    """Return the analysis as plain values; infinite ones (times that never come) become "inf"."""
    return _plain(asdict(found))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return "inf" if isinstance(value, float) and math.isinf(value) else value


def _rows(found: ClassificationAnalysis | RegressionAnalysis) -> str:
    rows = f"{found.n_train} rows to train on, {found.n_held_out} held out"
    return f"{rows}; {found.n_features} features"


def _line(title: str, text: str) -> str:
    return f"{title:<{_WIDTH}}{text}"


def _time(time: float | None) -> str:
    if time is None:
        return "no forecast"
    if math.isinf(time):
        return "never"
    return f"{time:.4g} steps"


def _classification(found: ClassificationAnalysis) -> list[str]:
    lower, upper = found.classes
    percent = f"{100 * found.accuracy:g} %"
    lines = [
        _line("classification", f"label {lower} is -1, {upper} is +1"),
        _line("rows", _rows(found)),
        _line("without a bias", _verdict(found.through_origin)),
        _line("with a bias", _verdict(found.with_bias)),
    ]
    if found.with_bias.margin is not None:
        lines.append(_line("on the margin", f"{found.support} rows"))
    if found.across is not None:
        lines.append(_line("across the margin", _verdict(found.across)))
    gen = found.limit_gen_accuracy
    held_out = "not known on held-out rows" if gen is None else f"{gen:.4f} held out"
    lines += [
        _line("accuracy at the end", f"{found.limit_train_accuracy:.4f} training, {held_out}"),
        _line(f"{percent} on training rows", _forecast(found.t_train, found.valid_train)),
        _line(f"{percent} on held-out rows", _forecast(found.t_gen, found.valid)),
    ]
    if found.settling_exponent is not None:
        lines.append(_line("weights settle as", f"t^-{found.settling_exponent:.3g} or faster"))
    if found.relaxation_time is not None:
        never = math.isinf(found.relaxation_time)
        within = (
            "never: some grow forever" if never else f"{found.relaxation_time:.4g} steps, by 1/e"
        )
        lines.append(_line("weights settle within", within))
    return lines + _end(found)


def _verdict(verdict: SetVerdict) -> str:
    certificate = {
        "direction": "proved by a direction",
        "hull": "proved: 0 is in the convex hull",
        "lp": "by linear programming, no proof",
    }[verdict.certificate]
    if verdict.separable:
        margin = "not found" if verdict.margin is None else f"{verdict.margin:.4g}"
        return f"separable, margin {margin} ({certificate})"
    size = "does not exist" if verdict.s_inf_norm == math.inf else f"{verdict.s_inf_norm:.4g}"
    return f"not separable, |S_inf| {size} ({certificate})"


def _forecast(time: float | None, valid: bool) -> str:
    return _time(time) + ("" if valid or time is None else " (not in its range)")


def _regression(found: RegressionAnalysis) -> list[str]:
    percent = f"{100 * found.accuracy:g} %"
    eigenvalues = ", ".join(f"{value:.4g}" for value in found.smallest_eigenvalues)
    scatter = ""
    if found.t_gen_deviation is not None:
        scatter = f" +- {found.t_gen_deviation:.2g}"
    lines = [
        _line("regression", f"right within {found.epsilon:g} of the labels' mean square"),
        _line("rows", _rows(found)),
        _line("lambda = d/N", f"{found.lambda_:.4g}"),
        _line("spectrum", f"{found.smallest:.4g} to {found.largest:.4g}"),
        _line("smallest eigenvalues", eigenvalues),
        _line("label noise", f"{found.label_noise:.3g} of the labels' mean square"),
        _line(f"{percent} on training rows", _time(found.t_train)),
        _line(f"{percent} on held-out rows", _time(found.t_gen) + scatter),
        _line("tuned momentum", f"lr {found.tuned_eta:.4g}, momentum {found.tuned_momentum:.4g}"),
        _line(
            "  times with it",
            f"training rows {_time(found.tuned_t_train)}, held-out rows {_time(found.tuned_t_gen)}",
        ),
        _line("largest weight decay", _decay(found.largest_weight_decay)),
    ]
    if found.null_directions:
        lines.insert(5, _line("not in training rows", f"{found.null_directions} directions"))
    return lines + _end(found)


def _decay(decay: float | None) -> str:
    if decay is None:
        return "none"
    return "any" if math.isinf(decay) else f"{decay:.4g}"


def _end(found: ClassificationAnalysis | RegressionAnalysis) -> list[str]:
    """Return the answer, and the reasons why a forecast is out of range."""
    lines = ["", _line("will it grok?", _answer(found))]
    return [*lines, *(_line("not in range", remark) for remark in found.remarks)]


def _answer(found: ClassificationAnalysis | RegressionAnalysis) -> str:
    train, gen = found.t_train, found.t_gen
    if gen is None:
        return "no forecast; use --run to find out"
    never = "held-out rows end below the accuracy"
    if not found.valid:
        told = f"{never} by a forecast that" if math.isinf(gen) else "the forecast"
        return f"{told} is not in its range; use --run to find out"
    if math.isinf(gen):
        return f"no: {never}"
    if isinstance(found, ClassificationAnalysis) and not found.valid_train:
        reached = f"held-out rows reach the accuracy at step {gen:.4g}"
        return f"{reached}; use --run to find out when training rows do"
    if train is None or math.isinf(train) or gen <= train:
        return "no: held-out rows reach the accuracy no later than training rows"
    ratio = f" ({gen / train:.3g} times as late)" if train > 0 else ""
    return f"held-out rows reach the accuracy {gen - train:.4g} steps after training rows{ratio}"
