"use strict";

/* Sorting: a button in every heading; cells carry the number to sort by in data-v. */
function sortTable(heading) {
  const table = heading.closest("table");
  const body = table.tBodies[0];
  const column = heading.cellIndex;
  const down = heading.getAttribute("aria-sort")
    ? heading.getAttribute("aria-sort") === "ascending"
    : heading.dataset.first === "descending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  const keyOf = (row) => {
    const cell = row.cells[column];
    if (cell.dataset.v === undefined) return cell.textContent.trim();
    return cell.dataset.v === "" ? null : Number(cell.dataset.v);
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  const rows = [...body.rows].map((row) => [keyOf(row), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return down ? compare(b, a) : compare(a, b);
  });
  body.append(...rows.map(([, row]) => row));
}
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortTable(button.closest("th")));
}

/* Filtering the leaderboard. */
for (const field of document.querySelectorAll("input[data-filter]")) {
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.getElementById(field.dataset.filter).tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}

/* Tips: with the mouse, on a focused cell, and with the arrow keys inside a focused chart. Text only, never markup. */
const tip = document.getElementById("tip");
let shown = null;
function hideTip() {
  if (shown) shown.classList.remove("now");
  shown = null;
  tip.hidden = true;
}
function showTip(mark, x, y) {
  if (shown && shown !== mark) shown.classList.remove("now");
  shown = mark;
  mark.classList.add("now");
  tip.textContent = mark.dataset.tip;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(6, Math.min(x + 14, innerWidth - box.width - 6)) + "px";
  tip.style.top = Math.max(6, y + 18 + box.height > innerHeight ? y - box.height - 12 : y + 18) + "px";
}
document.addEventListener("mousemove", (event) => {
  const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
  if (mark) showTip(mark, event.clientX, event.clientY);
  else if (shown && !document.activeElement.closest("svg[tabindex], [data-tip]")) hideTip();
});
for (const cell of document.querySelectorAll("th[data-tip], td[data-tip]")) {
  cell.tabIndex = 0;
  cell.setAttribute("aria-describedby", "tip");
  cell.addEventListener("focus", () => {
    const box = cell.getBoundingClientRect();
    showTip(cell, box.left, box.bottom);
  });
  cell.addEventListener("blur", hideTip);
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideTip();
});
for (const chart of document.querySelectorAll("svg[tabindex]")) {
  let place = -1;
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const marks = chart.querySelectorAll("[data-tip]");
    if (!marks.length) return;
    event.preventDefault();
    place = place < 0 ? (step > 0 ? 0 : marks.length - 1) : (place + step + marks.length) % marks.length;
    const box = marks[place].getBoundingClientRect();
    showTip(marks[place], box.right, box.top);
  });
  chart.addEventListener("blur", hideTip);
}

/* Pictures open in a dialog, which closes with Escape. */
const viewer = document.getElementById("viewer");
for (const thumb of document.querySelectorAll("button.thumb")) {
  thumb.addEventListener("click", () => {
    viewer.querySelector("img").src = thumb.querySelector("img").src;
    viewer.querySelector("img").alt = thumb.querySelector("img").alt;
    viewer.querySelector("span").textContent = thumb.querySelector("img").alt;
    viewer.showModal();
  });
}

/* Everything that is folded is shown on paper. */
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
