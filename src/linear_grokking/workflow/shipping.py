"""`linear-grokking gallery`: the part of a build that is shipped with the repository."""

import argparse
from pathlib import Path

from linear_grokking.config import MAIN, load_merged
from linear_grokking.report import gallery
from linear_grokking.results.places import SHIPPED, Size
from linear_grokking.workflow.plan import Plan, read, targets

CONFIGURATIONS: dict[Size, tuple[Path, ...]] = {
    "config": (MAIN,),
    "paper": (MAIN, MAIN.with_name("paper.yaml")),
}
KEPT_SECONDS = 120.0
"""Compute time of a run above which its blocks are shipped, if they hold few numbers per set."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `linear-grokking gallery` to a parser."""
    parser.description = (
        "Copy results built with the present configuration and code to the documentation: small "
        "pictures, tables, claims, and blocks that took long to compute."
    )
    parser.add_argument(
        "--size",
        choices=tuple(SHIPPED),
        default="config",
        help="what was built: config/config.yaml alone, for docs/gallery, or the papers' sizes, "
        "for docs/paper_size (default: %(default)s)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        help="folder that holds results/ and figures/ (default: here)",
    )
    parser.add_argument(
        "--check", action="store_true", help="only list the pictures that are out of date"
    )


def command(options: argparse.Namespace) -> int:
    """Ship what was built, and print what is outdated; return the exit status."""
    outdated = ship(options.size, options.root, check=options.check)
    for picture in outdated:
        print(f"{picture} is out of date with the configuration or code")
    return 1 if outdated else 0


def ship(size: Size, root: Path, *, check: bool) -> list[Path]:
    """Copy what was built with the present configuration and code to its folder in `SHIPPED`.

    Parameters
    ----------
    size
        What was built: the configuration at the sizes of config/config.yaml or of the papers.
    root
        Folder that holds results/ and figures/.
    check
        Only check, and copy nothing.

    Returns
    -------
    list of Path
        Pictures that were not made from the present configuration and code.
    """
    plan = Plan(read(load_merged(CONFIGURATIONS[size])), root)
    folder = Path(SHIPPED[size])
    digests = _digests(plan)
    if not check:
        made = gallery.make(root / "figures", folder, digests)
        tables = {each: digests[each].table for each in plan.config.figures if each in made}
        gallery.judge(root, folder, tables)
        gallery.keep(root, folder, _kept(plan))
    return [folder / f"{each}.png" for each in gallery.outdated(folder, digests)]


def _digests(plan: Plan) -> dict[str, gallery.Digests]:
    found = {
        each: gallery.Digests(
            targets.pictures(plan, each).made_of, targets.table(plan, each).made_of
        )
        for each in plan.config.figures
    }
    both = targets.does_x_help(plan).made_of
    return found | {"X1": gallery.Digests(both, both)}


def _kept(plan: Plan) -> list[str]:
    """Return the blocks that are small and took long to compute."""
    return [
        name
        for run_id, run in plan.runs.items()
        if run.spec["measure"] == "separability"
        and sum(run.seconds(name, gpu=False) for name in plan.block_files(run_id)) > KEPT_SECONDS
        for name in plan.block_files(run_id)
    ]
