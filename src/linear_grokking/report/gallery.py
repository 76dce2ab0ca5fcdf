"""Small pictures of the figures, with their tables, and whether they are up to date."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from linear_grokking.runtime.files import whole_file

WIDTH = 1000
"""Width of a picture in pixels."""
_COLOURS = 256
_CARRIED = ("spec", "provenance")


def make(figures: Path, gallery: Path, figure_ids: Sequence[str]) -> None:
    """Shrink figures into the gallery, with the specification that each carries.

    Their tables go along, so that nobody has to compute what is only to be read (`load.table`).

    Raises
    ------
    FileNotFoundError
        If a figure was not drawn yet.
    """
    for figure_id in figure_ids:
        source = figures / f"{figure_id}.png"
        if not source.exists():
            raise FileNotFoundError(f"{source}: draw it first, with `snakemake -c1 {figure_id}`")
        with PngImageFile(source) as image:
            carried = PngInfo()
            for key in _CARRIED:
                carried.add_itxt(key, image.text[key], zip=True)
            height = round(image.height * WIDTH / image.width)
            small = image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
        with whole_file(gallery / source.name) as temporary:
            # Few colours suffice and keep the repository small, if those of a few markers are
            # among them (coverage counts, not pixels) and maps are dithered.
            palette = small.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
            small.quantize(palette=palette).save(temporary, pnginfo=carried, optimize=True)
        table = figures / "tables" / f"{figure_id}.parquet"
        with whole_file(gallery / table.name) as temporary:
            shutil.copyfile(table, temporary)


def outdated(gallery: Path, digests: Mapping[str, str]) -> list[str]:
    """Return the figures whose picture is not of the present configuration and code.

    Parameters
    ----------
    digests
        What each figure's picture would be made of today (`workflow.made_of`).
    """
    return [
        figure_id
        for figure_id, digest in digests.items()
        if not _carries(gallery / f"{figure_id}.png", digest)
    ]


def _carries(path: Path, digest: str) -> bool:
    if not (path.exists() and path.with_suffix(".parquet").exists()):
        return False
    with PngImageFile(path) as image:
        return digest in image.text.get("provenance", "")
