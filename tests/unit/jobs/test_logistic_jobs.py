"""Logistic jobs in batches on one of torch's devices, against one realization at a time."""

import numpy as np
import pytest

from linear_grokking.jobs import logistic
from linear_grokking.jobs.kinds import kind_of
from linear_grokking.runtime.context import JobContext
from linear_grokking.workflow.plan import read

torch = pytest.importorskip("torch")

# torch's CPU under a name that NumPy's path does not go by: the path of a GPU.
DEVICE = "cpu:0"
EXPERIMENT = {
    "model": "logistic",
    "n_train": 40,
    "d": 18,
    "sigma": 5.0,
    "t_max": 1e5,
    "records": 40,
    "dtype": "float64",
}


def spec_of(**changes):
    config = read({"seed": 3, "experiments": {"e": EXPERIMENT | changes}, "figures": {}})
    (point,) = config.experiments["e"].grid(config.seed)
    return point.spec


def rows(spec, realizations, device):
    return dict(kind_of(spec).compute(spec, list(realizations), JobContext(device=device)))


@pytest.mark.parametrize(
    ("changes", "rtol"),
    [
        # Batches take common steps, so that flows agree within their tolerance only.
        ({"solver": "gradient_flow", "rtol": 1e-5}, 1e-3),
        ({"solver": "gradient_descent", "t_max": 300}, 1e-9),
        ({"solver": "gradient_flow", "rtol": 1e-5, "measure": "outputs"}, 1e-3),
    ],
)
def test_a_batch_gives_what_one_at_a_time_does(changes, rtol):
    spec = spec_of(**changes)
    single, batched = (rows(spec, [0, 1, 2], device) for device in ("cpu", DEVICE))
    assert list(batched) == [0, 1, 2]
    for realization, columns in single.items():
        assert columns.keys() == batched[realization].keys()
        for name, values in columns.items():
            # A sample that sits at f = 0 may count on either side.
            atol = 1.01 / spec["n_train"] if name == "train_accuracy" else 1e-3 * rtol
            scale = np.abs(values).max()
            np.testing.assert_allclose(
                batched[realization][name], values, rtol=rtol, atol=max(atol, rtol * scale)
            )


def test_out_of_memory_makes_the_batch_smaller_and_says_so(monkeypatch, caplog):
    spec = spec_of(solver="gradient_descent", t_max=20)
    expected = rows(spec, range(5), DEVICE)
    set_up = logistic._set_up
    sizes = []

    def one_at_most(*arguments):
        of_all = set_up(*arguments)

        def of_some(batch):
            sizes.append(len(batch))
            if len(batch) > 1:
                raise torch.OutOfMemoryError("out of memory")
            return of_all(batch)

        return of_some

    monkeypatch.setattr(logistic, "_set_up", one_at_most)
    found = rows(spec, range(5), DEVICE)
    assert sizes == [5, 1, 1, 1, 1, 1]
    assert "out of memory on cpu:0 with 5 realizations: 1 now" in caplog.text
    for realization, columns in expected.items():
        for name, values in columns.items():
            np.testing.assert_allclose(found[realization][name], values, rtol=1e-12)


def test_a_realization_that_does_not_fit_is_an_error(monkeypatch):
    def never(batch):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(logistic, "_set_up", lambda *_: never)
    with pytest.raises(torch.OutOfMemoryError):
        rows(spec_of(), [0, 1], DEVICE)
