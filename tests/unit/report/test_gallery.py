"""The documentation's small pictures."""

import json

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from linear_grokking.report import gallery

DIGESTS = {"A6": "0123456789abcdef"}


@pytest.fixture
def figures(tmp_path):
    info = PngInfo()
    info.add_itxt("spec", '{"figure":"A6"}')
    info.add_itxt("provenance", json.dumps({"made_of": DIGESTS["A6"]}))
    pixels = np.random.default_rng(0).integers(0, 255, (600, 1440, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "A6.png", pnginfo=info)
    return with_table(tmp_path)


def with_table(folder):
    (folder / "tables").mkdir()
    (folder / "tables/A6.parquet").write_bytes(b"numbers")
    return folder


def test_pictures_are_small_and_carry_what_they_show(figures, tmp_path):
    folder = tmp_path / "gallery"
    gallery.make(figures, folder, ["A6"])
    with Image.open(folder / "A6.png") as image:
        assert image.size == (1000, 417) and image.text["spec"] == '{"figure":"A6"}'
    assert (folder / "A6.parquet").read_bytes() == b"numbers"
    assert gallery.outdated(folder, DIGESTS) == []
    (folder / "A6.parquet").unlink()
    assert gallery.outdated(folder, DIGESTS) == ["A6"]


def test_the_colour_of_a_few_markers_stays(tmp_path):
    info = PngInfo()
    info.add_itxt("spec", "{}")
    info.add_itxt("provenance", "{}")
    pixels = np.full((900, 2000, 3), 255, np.uint8)
    ramp = np.linspace(0, 255, 2000).astype(np.uint8)
    pixels[:600] = np.stack([ramp, ramp[::-1], np.full(2000, 120, np.uint8)], axis=-1)
    marker = (230, 159, 0)
    pixels[700:712, 500:512] = marker
    Image.fromarray(pixels).save(tmp_path / "A6.png", pnginfo=info)
    gallery.make(with_table(tmp_path), tmp_path / "gallery", ["A6"])
    with Image.open(tmp_path / "gallery" / "A6.png") as image:
        found = np.array(image.convert("RGB")).astype(int)
    assert np.abs(found[353, 253] - marker).max() < 15
    assert np.abs(found[440, 900] - 255).max() <= 1


def test_another_configuration_or_code_makes_them_outdated(figures, tmp_path):
    folder = tmp_path / "gallery"
    assert gallery.outdated(folder, DIGESTS) == ["A6"]
    gallery.make(figures, folder, ["A6"])
    assert gallery.outdated(folder, {"A6": "fedcba9876543210"}) == ["A6"]


def test_a_figure_that_is_not_drawn_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="snakemake -c1 A6"):
        gallery.make(tmp_path, tmp_path / "gallery", ["A6"])
