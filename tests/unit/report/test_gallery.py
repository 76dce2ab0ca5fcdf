"""What comes with the repository: small pictures, tables, claims, blocks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from linear_grokking.report import gallery
from linear_grokking.results.identity import hashed
from linear_grokking.results.places import SHIPPED
from linear_grokking.results.storage import write_frame

ROOT = Path(__file__).parents[3]
DIGESTS = {"A6": gallery.Digests("0123456789abcdef", hashed({}, "code"))}


def save(pixels, path):
    info = PngInfo()
    info.add_itxt("spec", '{"figure":"A6"}')
    info.add_itxt("provenance", json.dumps({"made_of": DIGESTS["A6"].picture}))
    Image.fromarray(pixels).save(path, pnginfo=info)


def save_table(path, fingerprint):
    frame = pd.DataFrame({"x": [1.0]})
    write_frame(frame, path, spec="{}", provenance={"fingerprint": fingerprint})


@pytest.fixture
def figures(tmp_path):
    folder = tmp_path / "figures"
    (folder / "tables").mkdir(parents=True)
    save_table(folder / "tables/A6.parquet", "code")
    save(np.full((600, 1440, 3), 255, np.uint8), folder / "A6.png")
    return folder


def test_pictures_are_small_and_carry_what_they_show(figures, tmp_path):
    folder = tmp_path / "gallery"
    assert gallery.make(figures, folder, DIGESTS) == ["A6"]
    with Image.open(folder / "A6.png") as image:
        assert image.size == (1000, 417) and image.text["spec"] == '{"figure":"A6"}'
    whole = (figures / "tables/A6.parquet").read_bytes()
    assert (folder / "A6.parquet").read_bytes() == whole
    assert gallery.outdated(folder, DIGESTS) == []
    (folder / "A6.parquet").unlink()
    assert gallery.outdated(folder, DIGESTS) == ["A6"]


def test_tables_of_other_figures_are_not_taken_for_ones_own(figures, tmp_path):
    folder = tmp_path / "gallery"
    gallery.make(figures, folder, DIGESTS)
    save_table(folder / "A6.parquet", "other code")
    assert gallery.outdated(folder, DIGESTS) == ["A6"]
    save_table(figures / "tables/A6.parquet", "other code")
    assert gallery.make(figures, folder, DIGESTS) == []


def test_the_colour_of_a_few_markers_stays(figures, tmp_path):
    pixels = np.full((900, 2000, 3), 255, np.uint8)
    ramp = np.linspace(0, 255, 2000).astype(np.uint8)
    pixels[:600] = np.stack([ramp, ramp[::-1], np.full(2000, 120, np.uint8)], axis=-1)
    marker = (230, 159, 0)
    pixels[700:712, 500:512] = marker
    save(pixels, figures / "A6.png")
    gallery.make(figures, tmp_path / "gallery", DIGESTS)
    with Image.open(tmp_path / "gallery" / "A6.png") as image:
        found = np.array(image.convert("RGB")).astype(int)
    assert np.abs(found[353, 253] - marker).max() < 15
    assert np.abs(found[440, 900] - 255).max() <= 1


def test_only_what_is_drawn_as_of_today_is_brought(figures, tmp_path):
    folder = tmp_path / "gallery"
    own = DIGESTS["A6"]
    others = {"A6": own._replace(picture="fedcba9876543210"), "A7": own}
    assert gallery.make(figures, folder, others) == [] and not folder.exists()
    assert gallery.outdated(folder, others) == ["A6", "A7"]
    gallery.make(figures, folder, DIGESTS)
    assert gallery.make(figures, folder, others) == []
    assert (folder / "A6.png").exists() and gallery.outdated(folder, others) == ["A6", "A7"]


def test_claims_on_other_figures_stay(tmp_path, monkeypatch):
    def judged(tables, root):
        return pd.DataFrame({"id": [f"{each}-x" for each in tables], "figure": list(tables)})

    monkeypatch.setattr(gallery, "judged", judged)
    for revision, figures in (("old", ("B11", "B1", "A6")), ("new", ("B1", "B6")), ("none", ())):
        monkeypatch.setattr(gallery, "revision", lambda revision=revision: {"revision": revision})
        gallery.judge(tmp_path, tmp_path / "gallery", dict.fromkeys(figures, "digest"))
    written = pd.read_csv(tmp_path / "gallery" / "claims.csv")
    assert written["id"].tolist() == ["A6-x", "B1-x", "B6-x", "B11-x"]
    assert written["revision"].tolist() == ["old", "new", "new", "old"]


@pytest.mark.parametrize("shipped", SHIPPED.values())
def test_shipping_nothing_changes_no_byte_of_the_claims(shipped, tmp_path):
    before = (ROOT / shipped / "claims.csv").read_bytes()
    (tmp_path / "claims.csv").write_bytes(before)
    gallery.judge(tmp_path, tmp_path, {})
    assert (tmp_path / "claims.csv").read_bytes() == before


def test_blocks_that_are_there_are_kept_under_their_paths(tmp_path):
    present, absent = "results/separability/0/0-9.parquet", "results/separability/0/10-19.parquet"
    (tmp_path / present).parent.mkdir(parents=True)
    (tmp_path / present).write_bytes(b"sets")
    gallery.keep(tmp_path, tmp_path / "gallery", [present, absent])
    assert (tmp_path / "gallery" / present).read_bytes() == b"sets"
    assert not (tmp_path / "gallery" / absent).exists()
