"""Results shipped with the repository: small pictures, tables, claims and some blocks.

With them nobody has to compute results only to read them (`load.table`, `load.claims`).
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from PIL import Image
from PIL.PngImagePlugin import PngImageFile, PngInfo

from linear_grokking.claims import judged
from linear_grokking.figures.registry import figure_ids
from linear_grokking.results.storage import revision
from linear_grokking.runtime.files import whole_file

WIDTH = 1000
"""Width of a picture in pixels."""
_COLOURS = 256
_CARRIED = ("spec", "provenance")


def make(figures: Path, gallery: Path, digests: Mapping[str, str]) -> list[str]:
    """Put small versions of figures, with their embedded metadata, and tables into the gallery.

    Parameters
    ----------
    figures
        Folder of the pictures, with their tables in ``tables``.
    digests
        Each picture's digest by the present configuration and code (`workflow.made_of`).

    Returns
    -------
    list of str
        The figures whose picture has this digest.  Other figures stay as they are in the gallery.
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
            # A small palette keeps the repository small; k-means fits it to smooth color maps.
            plain = small.quantize(_COLOURS, kmeans=3, dither=Image.Dither.NONE)
            plain.save(temporary, pnginfo=carried, optimize=True)
        _copy(figures / "tables" / f"{figure_id}.parquet", _table(gallery, figure_id))
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


def outdated(gallery: Path, digests: Mapping[str, str]) -> list[str]:
    """Return the figures whose picture was not made from the present configuration and code.

    A figure without its table counts as outdated, too.

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
