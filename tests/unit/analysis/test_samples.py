"""What cannot be analyzed is refused in one line that says what is allowed."""

import numpy as np
import pandas as pd
import pytest
from given_rows import one_label, teacher

from linear_grokking import analyze
from linear_grokking.analysis.samples import checked, read, split, standardized, task_of

X, Y = teacher(0, 40, 0.2)


def changed(row, column, value):
    features = X.copy()
    features[row, column] = value
    return features


BUT_ONE = np.outer(np.arange(40) == 7, np.ones(3)).astype(float)
CONSTANT = X.copy()
CONSTANT[:, 2] = 3.0


@pytest.mark.parametrize(
    ("features", "labels", "settings", "says"),
    [
        (X[0], Y, {}, r"X: shape \(6,\); must be \(rows, features\)"),
        (X[:, :0], Y, {}, r"X: shape \(40, 0\)"),
        (X, Y[:5], {}, r"labels: shape \(5,\); must be \(40,\)"),
        (X[:9], Y[:9], {}, "X: 9 rows; must be at least 10"),
        (X.astype(str), Y, {}, "X: entries of type <U.*; must be real numbers"),
        (changed(3, 1, np.nan), Y, {}, "X: row 3, column 1 is nan; must be a finite number"),
        (changed(4, 0, np.inf), Y, {}, "X: row 4, column 0 is inf"),
        (X, np.where(np.arange(40) == 7, np.nan, Y), {}, "labels: row 7 is nan"),
        (X, np.array(["a", None] * 20, object), {}, "labels: row 1 is None"),
        (CONSTANT, Y, {}, r"X: 1 constant columns \(2\); remove them"),
        (
            1e120 * X,
            Y,
            {},
            r"X: the largest absolute value is .*e\+120; must be 0 or between 1e-100",
        ),
        (X, 1e200 * Y, {}, r"labels: the largest absolute value is .*e\+200"),
        (X, 1e-200 * Y, {}, "labels: the largest absolute value is .*e-200"),
        (X, np.ones(40), {}, "labels: all are 1.0"),
        (X, Y, {"task": "classification"}, "labels: 40 classes; classification needs two"),
        (X, Y, {"task": "sorting"}, "task = sorting: must be one of auto, "),
        (X, np.array(list("abcd") * 10), {}, "labels: 4 different names; must be two classes"),
        (X, np.array(list("ab") * 20), {"task": "regression"}, "labels: 2 different names"),
        (
            X,
            np.arange(40.0) % 3,
            {},
            "labels: 3 whole numbers, .* task = regression",
        ),
        (X, Y, {"held_out": 1.0}, "held_out = 1: must lie between 0 and 1"),
        (X, Y, {"held_out": 0.99}, "held_out = 0.99: leaves 0 of 40 rows"),
        (X, Y, {"held_out": 0.001}, "held_out = 0.001: leaves 40 of 40 rows"),
        (X, Y, {"seed": -1}, "seed = -1: must be at least 0"),
        (X, Y, {"eta": 0.0}, r"eta = 0: must lie in \(0, inf\)"),
        (X, Y, {"accuracy": 1.0}, r"accuracy = 1: must lie in \(0, 1\)"),
        (X, Y, {"epsilon": -1.0}, r"epsilon = -1: must lie in \(0, inf\)"),
        (BUT_ONE, Y, {"held_out": 0.9}, "X: all features of the training rows are 0"),
        (X, np.arange(40) == 3, {"held_out": 0.9}, "labels: the training rows have only one class"),
        (
            X,
            np.arange(40) > 37,
            {"held_out": 0.95},
            "labels: the training rows have only one class",
        ),
    ],
)
def test_what_cannot_be_analyzed(features, labels, settings, says):
    with pytest.raises(ValueError, match=says) as caught:
        analyze(features, labels, **settings)
    assert "\n" not in str(caught.value)


def test_labels_that_are_all_zero_among_the_training_rows():
    labels = np.zeros(40)
    held = split(np.arange(40.0)[:, np.newaxis], labels, held_out=0.2, seed=0).held_inputs[:2, 0]
    labels[held.astype(int)] = 1.0, 2.0
    with pytest.raises(ValueError, match="labels: all are 0 in the training rows"):
        analyze(X, labels, task="regression")


def test_files_of_all_kinds_give_the_same_rows(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    frame.insert(2, "kind", np.where(Y > 0, "yes", "no"))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    frame.to_parquet(tmp_path / "rows.parquet")
    np.savez(tmp_path / "rows.npz", X=X, kind=frame["kind"].to_numpy(str))
    for suffix in ("csv", "parquet", "npz"):
        found = read(tmp_path / f"rows.{suffix}", "kind")
        np.testing.assert_allclose(found.features, X, rtol=1e-14)
        assert found.labels.tolist() == frame["kind"].tolist()
        assert task_of(found.labels, "auto") == "classification"
    assert list(read(tmp_path / "rows.csv", "kind").names) == list("abcdef")
    # A column that pandas made the index is a column of the file, for pandas' CSV as for others.
    for column in ("a", "kind"):
        frame.set_index(column).to_parquet(tmp_path / "index.parquet")
        found = read(tmp_path / "index.parquet", "kind")
        np.testing.assert_allclose(found.features, X)
        assert found.labels.tolist() == frame["kind"].tolist()


@pytest.mark.parametrize(
    ("name", "label", "says"),
    [
        ("none.npz", "y", "none.npz: no such file"),
        ("rows.txt", "y", r"rows.txt: unknown suffix; allowed are .npz, .csv, .parquet"),
        ("folder.csv", "y", "folder.csv: is a folder"),
        ("broken.npz", "y", "broken.npz: not a readable .npz file"),
        ("array.npz", "y", "array.npz: not a readable .npz file of plain arrays"),
        ("broken.parquet", "y", r"broken.parquet: not a readable .parquet file: \w"),
        ("empty.csv", "y", "empty.csv: not a readable .csv file: No columns"),
        ("ragged.csv", "y", "ragged.csv: not a readable .csv file: .*Expected 2 fields in line 3"),
        ("rows.npz", "z", r"rows.npz: no array z; .* the file holds X, y"),
        ("other.npz", "y", r"other.npz: no array X; X .* are needed"),
        ("pickled.npz", "y", "pickled.npz: not a readable .npz file of plain arrays"),
        ("rows.csv", "z", r"rows.csv: no column z for the labels \(--label\); it has a, y"),
        ("text.csv", "y", "text.csv: column a: not numeric"),
        ("index.csv", "y", "index.csv: column 0 has no name; remove it if it is an index"),
        ("twice.csv", "y", "twice.csv: column y occurs twice"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, label, says):
    for broken in ("broken.npz", "broken.parquet"):
        (tmp_path / broken).write_bytes(b"nothing of the kind")
    with open(tmp_path / "array.npz", "wb") as file:  # np.save would give it the suffix .npy
        np.save(file, X)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "ragged.csv").write_text("a,y\n1,2\n1,2,3\n")
    (tmp_path / "rows.txt").write_text("")
    (tmp_path / "folder.csv").mkdir()
    np.savez(tmp_path / "rows.npz", X=X, y=Y)
    np.savez(tmp_path / "other.npz", y=Y)
    np.savez(tmp_path / "pickled.npz", X=np.array([{}], object), y=Y)
    (tmp_path / "rows.csv").write_text("a,y\n1,2\n")
    (tmp_path / "text.csv").write_text("a,y\nx,2\n")
    pd.DataFrame(X, columns=list("abcdey")).to_csv(tmp_path / "index.csv")
    pd.DataFrame(X, columns=list("yabcdy")).to_csv(tmp_path / "twice.csv", index=False)
    with pytest.raises(ValueError, match=says) as caught:
        read(tmp_path / name, label)
    assert "\n" not in str(caught.value)


def test_a_data_frame_of_several_types_is_taken_as_a_file_of_it_is(tmp_path):
    frame = pd.DataFrame(X, columns=list("abcdef")).convert_dtypes()
    frame["f"] = frame["f"] > 0
    frame.assign(y=Y).to_csv(tmp_path / "rows.csv", index=False)
    of_file, of_frame = read(tmp_path / "rows.csv", "y"), checked(frame, Y)
    np.testing.assert_allclose(of_frame.features, of_file.features, rtol=1e-14)
    assert of_frame.names == of_file.names == list("abcdef")
    frame.loc[3, "b"] = pd.NA
    with pytest.raises(ValueError, match="X: row 3, column b is nan"):
        checked(frame, Y)
    with pytest.raises(ValueError, match=r"^column b: not numeric"):
        checked(frame.assign(b="word"), Y)


@pytest.mark.parametrize("kind", ["boolean", "string", "Int64"])
def test_a_missing_label_of_pandas_is_named(tmp_path, kind):
    labels = pd.Series([1, 0] * 20, dtype="Int64").astype(kind)
    labels[5] = pd.NA
    pd.DataFrame(X, columns=list("abcdef")).assign(y=labels).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="labels: row 5 is"):
        read(tmp_path / "rows.parquet", "y")


def test_missing_entries_of_a_table_are_named(tmp_path):
    (tmp_path / "rows.csv").write_text("a,b,y\n" + "1,2,0\n3,,1\n" * 6)
    with pytest.raises(ValueError, match="X: row 1, column b is nan"):
        read(tmp_path / "rows.csv", "y")


def test_the_split_is_the_seeds_and_loses_no_row():
    features = np.arange(50.0)[:, np.newaxis]
    one, again, other = (
        split(features, features[:, 0], held_out=0.3, seed=seed) for seed in (1, 1, 2)
    )
    assert len(one.held_labels) == 15
    assert sorted([*one.labels, *one.held_labels]) == features[:, 0].tolist()
    assert np.array_equal(one.inputs[:, 0], one.labels)
    assert np.array_equal(one.held_labels, again.held_labels)
    assert not np.array_equal(one.held_labels, other.held_labels)


def test_standardizing_is_by_the_training_rows():
    rows = split(5 + 3 * X, 7 + Y, held_out=0.25, seed=0)
    scaled = standardized(rows, list("abcdef"), labels=True)
    assert scaled.inputs.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert scaled.inputs.std(axis=0) == pytest.approx(1)
    assert scaled.labels.mean() == pytest.approx(0, abs=1e-12)
    deviation = rows.inputs.std(axis=0)
    expected = (rows.held_inputs - rows.inputs.mean(axis=0)) / deviation
    assert scaled.held_inputs == pytest.approx(expected)
    assert scaled.held_labels == pytest.approx(rows.held_labels - rows.labels.mean())
    kept = standardized(rows, list("abcdef"), labels=False)
    assert np.array_equal(kept.labels, rows.labels)
    still = rows.inputs.copy()
    still[:, 1] = 2.0
    with pytest.raises(ValueError, match="column b does not vary"):
        standardized(
            type(rows)(still, rows.labels, rows.held_inputs, rows.held_labels),
            list("abcdef"),
            labels=False,
        )


def test_two_numbers_are_regressed_on_request():
    features, labels = one_label(0, 100, 0.2, 1)
    assert analyze(features, labels).task == "classification"
    assert analyze(features, labels, task="regression").task == "regression"
    assert checked(features, labels[:, np.newaxis]).labels.shape == (100,)


def test_half_precision_is_read():
    labels = Y.astype(np.float16)
    assert analyze(X.astype(np.float16), labels).task == "regression"
