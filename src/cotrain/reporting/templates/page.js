"use strict";

const config = { responsive: true, displayModeBar: false };

for (const json of document.querySelectorAll("script[data-plot]")) {
  const figure = JSON.parse(json.textContent);
  Plotly.newPlot(json.dataset.plot, figure.data, figure.layout, config);
}

function sortKey(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === undefined ? cell.textContent.trim() : value === "" ? null : Number(value);
}

function compare(a, b, sign) {
  if (a === null || b === null) return (a === null) - (b === null);
  return sign * (typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
}

function sortBy(heading) {
  const table = heading.closest("table");
  const other = { ascending: "descending", descending: "ascending" };
  const order = other[heading.getAttribute("aria-sort")] ?? heading.dataset.first;
  for (const th of table.tHead.rows[0].cells) th.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const column = heading.cellIndex;
  const sign = order === "ascending" ? 1 : -1;
  const rows = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
  rows.sort((a, b) => compare(a[0], b[0], sign));
  table.tBodies[0].append(...rows.map((pair) => pair[1]));
}

for (const button of document.querySelectorAll(".sortable thead button")) {
  button.addEventListener("click", () => sortBy(button.parentElement));
}

function fitPlots(width) {
  for (const plot of document.querySelectorAll(".js-plotly-plot")) {
    Plotly.relayout(plot, width ? { width, autosize: false } : { width: null, autosize: true });
  }
}

window.addEventListener("beforeprint", () => fitPlots(680));
window.addEventListener("afterprint", () => fitPlots(null));
