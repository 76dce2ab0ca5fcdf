"""What comes with the repository: small pictures of figures, their tables, claims, and blocks.

So that nobody has to compute what is only to be read (`load.table`, `load.claims`).
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from linear_grokking.claims import judged
from linear_grokking.results.storage import revision
from linear_grokking.runtime.files import whole_file

WIDTH = 1000
"""Width of a picture in pixels."""
_COLOURS = 256
_CARRIED = ("spec", "provenance")


def make(figures: Path, gallery: Path, digests: Mapping[str, str]) -> list[str]:
    """Shrink figures into the gallery, with the specification that each carries, and its table.

    Parameters
    ----------
    figures
        Folder of the pictures, with their tables in ``tables``.
    digests
        What each figure's picture is made of today (`workflow.made_of`).

    Returns
    -------
    list of str
        The figures that were drawn of that; others are left as they are in the gallery.
    """
    drawn = [each for each, digest in digests.items() if _carries(_picture(figures, each), digest)]
    for figure_id in drawn:
        with PngImageFile(_picture(figures, figure_id)) as image:
            carried = PngInfo()
            for key in _CARRIED:
                carried.add_itxt(key, image.text[key], zip=True)
            height = round(image.height * WIDTH / image.width)
            small = image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
        with whole_file(_picture(gallery, figure_id)) as temporary:
            # Few colours suffice and keep the repository small, if those of a few markers are
            # among them (coverage counts, not pixels) and maps are dithered.
            palette = small.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE)
            small.quantize(palette=palette).save(temporary, pnginfo=carried, optimize=True)
        _copy(figures / "tables" / f"{figure_id}.parquet", _table(gallery, figure_id))
    return drawn


def judge(root: Path, gallery: Path, tables: Mapping[str, str]) -> None:
    """Write the claims on figures into the gallery, each row with the revision that judged it.

    Rows on other figures stay: those may have been made elsewhere, at another time.

    Parameters
    ----------
    root
        Folder that holds results/ and figures/.
    tables
        What the table of each figure is made of.
    """
    path = gallery / "claims.csv"
    rows = [judged(tables, root).assign(revision=revision()["revision"])]
    if path.exists():
        others = pd.read_csv(path)
        rows.insert(0, others[~others["figure"].isin(tables)])
    with whole_file(path) as temporary:
        pd.concat(rows).to_csv(temporary, index=False, float_format="%.6g")


def keep(root: Path, gallery: Path, blocks: Iterable[str]) -> None:
    """Copy those blocks that are there into the gallery, under their own paths."""
    for name in blocks:
        if (root / name).exists():
            _copy(root / name, gallery / name)


def outdated(gallery: Path, digests: Mapping[str, str]) -> list[str]:
    """Return the figures whose picture is not of the present configuration and code.

    One without its table counts as such.

    Parameters
    ----------
    digests
        See `make`.
    """
    return [
        figure_id
        for figure_id, digest in digests.items()
        if not (
            _carries(_picture(gallery, figure_id), digest) and _table(gallery, figure_id).exists()
        )
    ]


def _picture(folder: Path, figure_id: str) -> Path:
    return folder / f"{figure_id}.png"


def _table(gallery: Path, figure_id: str) -> Path:
    return gallery / f"{figure_id}.parquet"


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


def _carries(path: Path, digest: str) -> bool:
    if not path.exists():
        return False
    with PngImageFile(path) as image:
        return digest in image.text.get("provenance", "")
