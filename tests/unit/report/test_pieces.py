"""What the page is made of: numbers, sentences, claims, axes."""

import base64
import os
import tomllib
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from linear_grokking.report import page, pictures, typesetting
from linear_grokking.report.interactive import _ticks
from linear_grokking.report.summary import POINTS, summary
from linear_grokking.results.storage import StorageError


@pytest.mark.parametrize(
    ("text", "typeset"),
    [
        ("d_out = 5 at t*_gen", "d<sub>out</sub> = 5 at t*<sub>gen</sub>"),
        ("‖S_∞‖ < ‖D(0)‖²_F/d_out", "‖S<sub>∞</sub>‖ &lt; ‖D(0)‖²<sub>F</sub>/d<sub>out</sub>"),
        ("γ = 1e-05 or 3.8e-03", "γ = 10⁻⁵ or 0.0038"),
        ("within 5 %", "within 5\N{NO-BREAK SPACE}%"),
        (
            "B1, a1_dynamics 2",
            "B1, a1<sub>dynamics</sub> 2",
        ),
    ],
)
def test_sentences_are_typeset(text, typeset):
    assert typesetting.sentence(text) == typeset


@pytest.mark.parametrize(
    ("value", "shown", "key"),
    [
        (0.0, "0", "0.0"),
        (-0.25, "−0.25", "-0.25"),
        (1.234567e-7, "1.235·10⁻⁷", "1.234567e-07"),
        (np.inf, "∞", "Infinity"),
        (-np.inf, "−∞", "-Infinity"),
        (np.nan, "–", "NaN"),
    ],
)
def test_numbers_are_shown_and_sorted(value, shown, key):
    assert (typesetting.number(value), typesetting.key(value)) == (shown, key)


def test_disagreements_are_grouped_by_what_they_are_and_what_explains_them():
    rows = [
        {"id": name, "disagreement": disagreement, "note": note}
        for name, disagreement, note in (
            ("a", "finite size", "why"),
            ("b", "", "why"),
            ("c", "erratum", ""),
            ("d", "finite size", "why"),
            ("e", "erratum", ""),
            ("f", "finite size", "because"),
        )
    ]
    grouped = {
        kind: [(note, [row["id"] for row in group]) for note, group in reasons]
        for kind, reasons in page._disagreements(rows).items()
    }
    assert grouped == {
        "erratum": [("", ["c"]), ("", ["e"])],
        "finite size": [("why", ["a", "d"]), ("because", ["f"])],
    }
    assert list(grouped) == ["erratum", "finite size"]


def test_ids_of_claims_in_prose_are_links():
    shown = str(typesetting.sentence("It does (A4-above-one-edge), as ‖S_∞‖ for d_out = 1e-05."))
    assert shown == (
        'It does (<a href="#claim-A4-above-one-edge">measured</a>), as ‖S<sub>∞</sub>‖ for '
        "d<sub>out</sub> = 10⁻⁵."
    )


def test_an_axis_with_both_signs_has_powers_of_ten():
    sizes = np.geomspace(1e-4, 1, 41)
    axis = _ticks(pd.Index([*-sizes[::-1], 0.0, *sizes]))
    assert axis["type"] == "category"
    assert axis["ticktext"] == ["−0.001", "−0.01", "−0.1", "−1", "0", "0.001", "0.01", "0.1", "1"]
    assert [float(value) for value in axis["tickvals"]] == pytest.approx(
        [-1e-3, -1e-2, -1e-1, -1, 0, 1e-3, 1e-2, 1e-1, 1], rel=0.01
    )


def test_a_picture_keeps_its_size_its_white_and_nearly_its_shades():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    pixels[:20] = 255
    png = BytesIO()
    Image.fromarray(pixels).save(png, "PNG")
    made = pictures.embedded(png.getvalue())
    kind, _, content = made.source.partition(",")
    assert (kind, made.width) == ("data:image/webp;base64", 30)
    with Image.open(BytesIO(base64.b64decode(content))) as image:
        found = np.asarray(image.convert("RGB")).astype(int)
    assert (found[:20] == 255).all()
    assert np.abs(found - pixels).max() <= 4


def test_a_damaged_picture_is_named(tmp_path):
    path, carried = tmp_path / "B1.png", PngInfo()
    carried.add_text("provenance", "digest")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(path, "PNG", pnginfo=carried)
    assert page._picture(path, "digest").width == 30
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StorageError, match=r"B1\.png: is damaged; remove it"):
        page._picture(path, "digest")


def test_a_point_of_the_opening_stands_while_its_claim_has_the_verdict():
    written = tomllib.loads(POINTS.read_text(encoding="utf-8"))
    names = [point["claim"] for point in written["holds"] + written["fails"]]
    assert len(set(names)) == len(names)
    claims = [{"id": each, "verdict": "confirmed", "disagreement": ""} for each in names]
    claims.append({"id": "x", "verdict": "outside its range", "disagreement": "finite size"})
    figures = [{"id": "A1", "is_ours": False}, {"id": "A8", "is_ours": True}]
    found = summary(claims, figures)
    assert found["holds"] == written["holds"] and found["fails"] == []
    assert (found["rebuilt"], found["ours"], found["picture"]) == (1, 1, figures[0])
    assert found["kinds"]["finite size"] == 1 and found["kinds"]["erratum"] == 0
    assert summary([], [])["picture"] is None
