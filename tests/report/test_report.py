"""The report in a browser: pictures, tables, links; and Snakemake's own report."""

import json
import re
import zipfile

import browser
import pandas as pd
import pytest
from PIL import Image
from small_run import CONFIGURATION, snakemake

from linear_grokking.claims.registry import COLUMNS

FIGURES = list(CONFIGURATION["figures"])
needs_browser = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="Chromium is not installed: the page is not looked at"
)


@pytest.fixture(scope="session")
def page(built):
    return built / "results" / "report.html"


def test_one_file_that_needs_no_network(page):
    text = page.read_text(encoding="utf-8")
    # Of which plotly's code, compressed, takes two.
    assert len(text.encode()) < 3_500_000
    bare = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["'](?!data:|#|https://arxiv\.org/)""", bare)
    assert "@import" not in text and '<link rel="stylesheet"' not in bare


def test_claims_are_of_the_configured_figures_and_judged_by_the_rule(built):
    claims = pd.read_csv(built / "results" / "claims.csv")
    assert tuple(claims.columns) == COLUMNS
    assert set(claims["figure"]) == set(FIGURES)
    inside = (claims["low"] >= claims["accepted_low"]) & (claims["high"] <= claims["accepted_high"])
    outside = (claims["high"] < claims["accepted_low"]) | (claims["low"] > claims["accepted_high"])
    expected = inside.map({True: "confirmed", False: "undecided"}).mask(outside, "contradicted")
    limited = claims["disagreement"].isin(["limit of validity", "finite size"])
    expected = expected.mask(outside & limited, "outside its range")
    # What is said of each of several is contradicted by one, wherever the others lie.
    of_one = ~inside & ~outside & claims["verdict"].isin(["contradicted", "outside its range"])
    assert (claims["verdict"] == expected)[~of_one].all()


@needs_browser
def test_page_shows_every_figure_without_an_error(page, tmp_path):
    found = json.loads(
        browser.evaluate(
            page,
            tmp_path,
            """
            const pictures = [...document.querySelectorAll(".figure img")];
            const shades = pictures.map((picture) => {
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [60, 40];
              const context = canvas.getContext("2d");
              context.drawImage(picture, 0, 0, 60, 40);
              return new Set(new Uint32Array(context.getImageData(0, 0, 60, 40).data.buffer)).size;
            });
            return {
              errors,
              ids: [...document.querySelectorAll(".figure")].map((figure) => figure.id),
              widths: pictures.map((picture) => picture.naturalWidth),
              shown: pictures.map((picture) => picture.getBoundingClientRect().width),
              shades,
              alts: pictures.map((picture) => picture.alt.length),
              beside: [...document.querySelectorAll(".figure aside")].map((text) => text.innerText),
            };
            """,
        )
    )
    assert found["errors"] == []
    assert found["ids"] == FIGURES
    assert all(width > 300 for width in found["widths"])
    assert all(
        0 < shown <= width / 1.9
        for shown, width in zip(found["shown"], found["widths"], strict=True)
    )
    assert all(count > 10 for count in found["shades"]), "a picture is blank"
    assert all(length > 40 for length in found["alts"])
    assert len(found["beside"]) == len(FIGURES)
    assert all(text.startswith("What the paper’s figure shows") for text in found["beside"])


@needs_browser
def test_plots_are_drawn_when_they_are_opened(page, tmp_path):
    found = json.loads(
        browser.evaluate(
            page,
            tmp_path,
            """
            const places = [...document.querySelectorAll("[data-plot]")];
            const before = typeof Plotly;
            for (const place of places) place.closest("details").open = true;
            const drawn = (place) =>
              place.querySelectorAll(".scatterlayer path, .heatmaplayer image").length;
            for (let k = 0; k < 400 && !places.every(drawn); k++)
              await new Promise((resolve) => setTimeout(resolve, 50));
            const plots = places.map((place) => [place.dataset.plot, drawn(place)]);
            return { errors, before, plots };
            """,
            browser.WAITING,
        )
    )
    assert found["errors"] == [] and found["before"] == "undefined"
    assert [figure for figure, _ in found["plots"]] == ["A1", "A4", "B1"]
    assert all(shapes for _, shapes in found["plots"]), found["plots"]


@needs_browser
def test_the_opening_counts_the_claims_and_leads_to_what_is_folded(page, built, tmp_path):
    claims = pd.read_csv(built / "results" / "claims.csv")
    found = json.loads(
        browser.evaluate(
            page,
            tmp_path,
            """
            const opening = document.getElementById("summary");
            const rows = [...opening.querySelectorAll(".tally tbody tr")];
            const points = [...opening.querySelectorAll(".points a")];
            const closed = [...document.querySelectorAll("#found .kind, #claims details")].map(
              (part) => part.open);
            location.hash = points[0].hash;
            await new Promise((resolve) => setTimeout(resolve, 200));
            const target = document.querySelector(":target");
            return {
              words: opening.innerText.split(/\\s+/).length,
              pictures: opening.querySelectorAll("img").length,
              tally: rows.map((row) => [row.cells[0].innerText, row.cells[4].innerText]),
              points: points.map((link) => link.hash.replace("#claim-", "")),
              closed,
              seen: target.getBoundingClientRect().height,
            };
            """,
            browser.WAITING,
        )
    )
    # What is read in a minute and a half.
    assert found["words"] < 420 and found["pictures"] == 1
    verdicts = claims["verdict"].value_counts()
    assert {word: int(n) for word, n in found["tally"]} == {
        word: verdicts.get(word, 0)
        for word in ("confirmed", "outside its range", "contradicted", "undecided")
    }
    judged = claims.set_index("id")["verdict"]
    assert found["points"] and set(judged[found["points"]]) <= {"confirmed", "contradicted"}
    assert len(found["closed"]) > 2 and not any(found["closed"])
    assert found["seen"] > 0


@needs_browser
def test_tables_sort_and_filter(page, built, tmp_path):
    claims = pd.read_csv(built / "results" / "claims.csv")
    found = json.loads(
        browser.evaluate(
            page,
            tmp_path,
            """
            let table = document.getElementById("claims-table");
            const rows = () => [...table.tBodies[0].rows].filter((row) => !row.hidden);
            const measured = () => rows().map((row) => Number(row.cells[4].dataset.value));
            const heading = [...table.tHead.rows[0].cells][4];
            heading.querySelector("button").click();
            const up = measured();
            heading.querySelector("button").click();
            const down = measured();
            let controls = document.querySelector('.controls[data-for="claims-table"]');
            const set = (name, value) => {
              controls.elements[name].value = value;
              controls.dispatchEvent(new Event("input"));
            };
            set("verdict", "contradicted");
            const contradicted = rows().length;
            set("figure", "B6");
            const both = rows().map((row) => [row.dataset.verdict, row.dataset.figure]);
            set("verdict", ""); set("figure", ""); set("text", "wendel");
            const wendel = rows().length;
            set("text", "S_∞");
            const subscripts = rows().length;
            set("text", "95 %");
            const percent = rows().length;
            set("text", "");
            const all = rows().length;
            table = document.getElementById("runs-table");
            controls = document.querySelector('.controls[data-for="runs-table"]');
            set("text", "d_in");
            const parameters = rows().length;
            return { subscripts, up, down, contradicted, both, wendel, percent, all, parameters };
            """,
        )
    )
    finite = [value for value in found["up"] if value is not None]
    assert finite == sorted(finite) and len(found["up"]) == len(claims)
    finite = [value for value in found["down"] if value is not None]
    assert finite == sorted(finite, reverse=True)
    assert found["contradicted"] == (claims["verdict"] == "contradicted").sum() > 0
    assert all(pair == ["contradicted", "B6"] for pair in found["both"])
    assert 0 < found["wendel"] < found["all"] == len(claims)
    assert found["subscripts"] >= claims["statement"].str.contains("S_∞").sum() > 0
    assert found["percent"] >= claims["statement"].str.contains("95 %").sum() > 0
    assert found["parameters"] > 0


@needs_browser
def test_links_lead_somewhere_and_numbers_to_their_runs(page, tmp_path):
    found = json.loads(
        browser.evaluate(
            page,
            tmp_path,
            """
            const links = [...document.querySelectorAll('a[href^="#"]')];
            const hashes = links.map((link) => decodeURIComponent(link.hash.slice(1)));
            const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
            return {
              dead: hashes.filter((hash) => !ids.includes(hash)),
              repeated: ids.filter((id, k) => ids.indexOf(id) !== k),
              runs: hashes.filter((hash) => hash.startsWith("run-")).length,
            };
            """,
        )
    )
    assert found["dead"] == []
    assert [each for each in found["repeated"] if each.startswith(("claim-", "run-"))] == []
    assert found["runs"] > 10


@needs_browser
@pytest.mark.parametrize("width", [400, 1280])
def test_page_is_drawn_at_phone_and_desk_width(page, tmp_path, width):
    picture = tmp_path / "page.png"
    browser.run(page, tmp_path, f"--window-size={width},1600", f"--screenshot={picture}")
    with Image.open(picture) as image:
        assert image.width == width
        assert len(image.convert("L").getcolors()) > 50


@needs_browser
def test_nothing_is_wider_than_a_phone(page, tmp_path):
    # Headless windows are at least 500 pixels wide; a frame may be narrower.
    frame = tmp_path / "frame.html"
    inner = tmp_path / "inner.html"
    inner.write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    frame.write_text(
        '<!DOCTYPE html><head></head><body><iframe src="inner.html" width="390" height="800">'
        "</iframe></body>"
    )
    script = """
      const view = document.querySelector("iframe").contentDocument;
      const tally = view.querySelector(".tally").getBoundingClientRect();
      return [view.documentElement.scrollWidth, tally.right];
    """
    option = "--allow-file-access-from-files"
    width, tally = json.loads(browser.evaluate(frame, tmp_path, script, option))
    assert 0 < width <= 390 and 0 < tally <= 390


def test_snakemakes_own_report_is_built_with_captions(built):
    code, said = snakemake(built, "all", "--report", "own.zip")
    assert code == 0, said
    with zipfile.ZipFile(built / "own.zip") as archive:
        names = archive.namelist()
        assert sum(name.endswith(".png") for name in names) >= len(FIGURES)
        main = next(name for name in names if name.endswith("report.html"))
        text = archive.read(main).decode()
    assert "d_in = 60" in text and "claims and verdicts" in text


def test_the_page_names_the_configuration_that_it_is_of(page):
    text = page.read_text(encoding="utf-8")
    assert "the configuration is <code>config/config.yaml</code> with <code>seed=1</code>" in text
