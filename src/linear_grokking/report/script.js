"use strict";

// Typeset text has no underscores but no-break spaces; parameters of runs are as in the configuration.
const plain = (text) => text.toLowerCase().replaceAll("_", "").replaceAll("\u00a0", " ");

// Tables that sort by a click on a heading and show the rows that fit the controls.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent.trim();
      };
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        if (typeof x === "string") return x.localeCompare(y, undefined, { numeric: true });
        // What is no number comes last, whichever way.
        if (Number.isNaN(x) || Number.isNaN(y)) return (Number.isNaN(x) - Number.isNaN(y)) * (down ? -1 : 1);
        return x === y ? 0 : x < y ? -1 : 1;
      };
      const rows = [...body.rows].sort(compare);
      if (down) rows.reverse();
      body.append(...rows);
    });
  });

  const controls = document.querySelector(`.controls[data-for="${table.id}"]`);
  if (!controls) continue;
  const update = () => {
    let shown = 0;
    for (const row of body.rows) {
      const fits = [...controls.querySelectorAll("input, select")].every((control) => {
        const wanted = control.value.trim().toLowerCase();
        if (!wanted) return true;
        if (control.name === "text") return plain(row.textContent).includes(plain(wanted));
        return row.dataset[control.name].toLowerCase() === wanted;
      });
      row.hidden = !fits;
      shown += fits;
    }
    controls.querySelector("output").textContent = `${shown} of ${body.rows.length}`;
  };
  controls.addEventListener("input", update);
  update();
}

// A link into a closed part of the page opens it.
function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", openTarget);
openTarget();

// A picture opens alone, at its full size.
for (const picture of document.querySelectorAll(".picture img")) {
  picture.addEventListener("click", async () => {
    const blob = await (await fetch(picture.src)).blob();
    open(URL.createObjectURL(blob));
  });
}

// Plots, and the code that draws them, are unpacked when one is first opened.
let unpacked;
async function unpack() {
  const packed = atob(document.getElementById("plots").textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = document.createElement("script");
  code.textContent = await new Response(stream).text();
  document.head.append(code);
}
async function draw(place) {
  place.textContent = "…";
  try {
    await (unpacked ??= unpack());
    const { data, layout } = plots[place.dataset.plot];
    place.textContent = "";
    await Plotly.newPlot(place, data, layout, { responsive: true, displaylogo: false });
    recolour(place);
  } catch (error) {
    place.textContent = `The plot cannot be drawn in this browser: ${error}`;
  }
}
for (const place of document.querySelectorAll("[data-plot]")) {
  place.closest("details").addEventListener("toggle", () => draw(place), { once: true });
}

// Interactive plots take the page's colours.
const dark = matchMedia("(prefers-color-scheme: dark)");
function recolour(plot) {
  const colour = getComputedStyle(document.body).color;
  const changes = { "font.color": colour };
  for (const axis of Object.keys(plot.layout).filter((name) => /^[xy]axis/.test(name))) {
    changes[`${axis}.gridcolor`] = dark.matches ? "#363a42" : "#e4e6ea";
    changes[`${axis}.zerolinecolor`] = changes[`${axis}.gridcolor`];
  }
  Plotly.relayout(plot, changes);
}
dark.addEventListener("change", () => document.querySelectorAll(".js-plotly-plot").forEach(recolour));
