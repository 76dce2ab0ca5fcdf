"use strict";

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
        // Subscripts carry no underscore: d_out is found as it is written in the configuration.
        if (control.name === "text") return row.textContent.toLowerCase().includes(wanted.replaceAll("_", ""));
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
for (const picture of document.querySelectorAll(".picture img, .leading img")) {
  picture.addEventListener("click", async () => {
    const blob = await (await fetch(picture.src)).blob();
    open(URL.createObjectURL(blob));
  });
}

// A plot that was closed when the page was drawn has no width yet.
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => {
    for (const plot of details.querySelectorAll(".js-plotly-plot")) Plotly.Plots.resize(plot);
  });
}

// Interactive plots take the page's colours.
const dark = matchMedia("(prefers-color-scheme: dark)");
function recolour() {
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    const colour = getComputedStyle(document.body).color;
    const changes = { "font.color": colour };
    for (const axis of Object.keys(plot.layout).filter((name) => /^[xy]axis/.test(name))) {
      changes[`${axis}.gridcolor`] = dark.matches ? "#363a42" : "#e4e6ea";
      changes[`${axis}.zerolinecolor`] = changes[`${axis}.gridcolor`];
    }
    Plotly.relayout(plot, changes);
  }
}
dark.addEventListener("change", recolour);
recolour();
