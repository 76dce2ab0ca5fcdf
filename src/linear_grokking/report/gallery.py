"""Results shipped with the repository: small pictures, tables, claims and some blocks.

With them nobody has to compute results only to read them (`load.table`, `load.claims`).
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from linear_grokking.claims import judged
from linear_grokking.figures.registry import figure_ids
from linear_grokking.results.storage import is_made_of, revision
from linear_grokking.runtime.files import whole_file

WIDTH = 1000
"""Width of a picture in pixels."""
_COLOURS = 256
_CARRIED = ("spec", "provenance")


class Digests(NamedTuple):
    """What a figure's picture and table are made of (`workflow.made_of`)."""

    picture: str
    table: str


def make(figures: Path, gallery: Path, digests: Mapping[str, Digests]) -> list[str]:
    """Put small versions of figures, with their embedded metadata, and tables into the gallery.

    Parameters
    ----------
    figures
        Folder of the pictures, with their tables in ``tables``.
    digests
        Those of each figure by the present configuration and code.

    Returns
    -------
    list of str
        The figures whose files have these digests.  Other figures stay as they are in the gallery.
    """
    tables = figures / "tables"
    drawn = [
        each
        for each, made_of in digests.items()
        if _is_made_of(_picture(figures, each), _table(tables, each), made_of)
    ]
    for figure_id in drawn:
        with PngImageFile(_picture(figures, figure_id)) as image:
            carried = PngInfo()
            for key in _CARRIED:
                carried.add_itxt(key, image.text[key], zip=True)
            height = round(image.height * WIDTH / image.width)
            small = image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
        with whole_file(_picture(gallery, figure_id)) as temporary:
            # A small palette keeps the repository small.  It has to reach the colours of a few
            # markers (maximum coverage), and to follow smooth colour maps (k-means).
            reach = Image.Quantize.MAXCOVERAGE
            plain = small.quantize(_COLOURS, reach, kmeans=3, dither=Image.Dither.NONE)
            plain.save(temporary, pnginfo=carried, optimize=True)
        _copy(_table(tables, figure_id), _table(gallery, figure_id))
    return drawn


def judge(root: Path, gallery: Path, tables: Mapping[str, str]) -> None:
    """Write the claims on figures into the gallery, each row with the revision that judged it.

    Rows on other figures stay, as they may have been made elsewhere at another time.  The order
    is that of the figures, whatever was judged last.

    Parameters
    ----------
    root
        Folder that holds results/ and figures/.
    tables
        The digest of each figure's table (`workflow.made_of`).
    """
    path = gallery / "claims.csv"
    rows = [judged(tables, root).assign(revision=revision()["revision"])]
    if path.exists():
        others = pd.read_csv(path)
        rows.insert(0, others[~others["figure"].isin(tables)])
    # Where no claims were judged, their columns are objects, and numbers would have no format.
    claims = pd.concat(rows).infer_objects()
    claims = claims.sort_values(
        "figure", kind="stable", key=lambda each: pd.Categorical(each, figure_ids())
    )
    with whole_file(path) as temporary:
        claims.to_csv(temporary, index=False, float_format="%.6g")


def keep(root: Path, gallery: Path, blocks: Iterable[str]) -> None:
    """Copy those of the blocks that exist into the gallery, keeping their paths."""
    for name in blocks:
        if (root / name).exists():
            _copy(root / name, gallery / name)


def outdated(gallery: Path, digests: Mapping[str, Digests]) -> list[str]:
    """Return the figures whose files were not made from the present configuration and code.

    Parameters
    ----------
    digests
        See `make`.
    """
    return [
        figure_id
        for figure_id, made_of in digests.items()
        if not _is_made_of(_picture(gallery, figure_id), _table(gallery, figure_id), made_of)
    ]


def _picture(folder: Path, figure_id: str) -> Path:
    return folder / f"{figure_id}.png"


def _table(folder: Path, figure_id: str) -> Path:
    return folder / f"{figure_id}.parquet"


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


def _is_made_of(picture: Path, table: Path, made_of: Digests) -> bool:
    if not (picture.exists() and table.exists()):
        return False
    # What a small picture carries is compressed.
    with PngImageFile(picture) as image:
        carried = made_of.picture in image.text.get("provenance", "")
    return carried and is_made_of(table, made_of.table)
