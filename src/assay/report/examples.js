"use strict";
// The name of a measure, or its mark in a figure, opens the fold of its units, and the name of a combination shows its example
// beneath its row; a mark of one unit does both. Without a script all are links to where these stand on the page. Of the marks
// of one figure that are links one can be reached by Tab, and the others from there by the arrow keys.

/** Opens every fold around an element, so that a link to it leads somewhere. */
function unfold(target) {
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
}

/** The rows that show an example in a table are taken away again. */
function closeExamples(table) {
  for (const row of table.querySelectorAll("tr.example")) row.remove();
  for (const link of table.querySelectorAll("[aria-expanded=true]")) link.ariaExpanded = "false";
}

/** What a row of the table of examples holds, by the heads of its columns, as one row beneath another. */
function exampleRow(from, columns) {
  const heads = [...from.closest("table").tHead.rows[0].cells].map((head) => head.textContent);
  const list = document.createElement("dl");
  list.className = "facts";
  [...from.cells].forEach((cell, k) => {
    if (!k || (!cell.textContent && !cell.querySelector("img"))) return;
    const [name, content] = [document.createElement("dt"), document.createElement("dd")];
    name.textContent = heads[k];
    content.append(...[...cell.childNodes].map((node) => node.cloneNode(true)));
    list.append(name, content);
  });
  const row = document.createElement("tr");
  row.className = "example";
  row.insertCell().append(list);
  row.cells[0].colSpan = columns;
  return row;
}

document.addEventListener("click", (event) => {
  const table = event.target.closest("button.sort")?.closest(".units table");
  if (table) closeExamples(table);
  const link = event.target.closest("a[href^='#']");
  const target = link && document.getElementById(decodeURIComponent(link.getAttribute("href").slice(1)));
  if (!target) return;
  const row = link.closest(".units tr");
  if (!row) {
    unfold(target);
    const example = target.closest(".units tr")?.querySelector("td a");
    if (example && example.ariaExpanded !== "true") example.click();
    return;
  }
  event.preventDefault();
  const isOpen = link.ariaExpanded === "true";
  if (isOpen) row.nextElementSibling.remove();
  else row.after(exampleRow(target, row.cells.length));
  link.ariaExpanded = String(!isOpen);
});

document.addEventListener("input", (event) => {
  const table = event.target.closest(".filter")?.parentElement.querySelector(".units table");
  if (table) closeExamples(table);
});

const marksOf = (figure) => [...figure.querySelectorAll("a[href]")];

for (const figure of document.querySelectorAll("svg:has(a[href])")) {
  marksOf(figure).forEach((mark, k) => mark.setAttribute("tabindex", k ? "-1" : "0"));
  figure.addEventListener("keydown", (event) => {
    const marks = marksOf(figure);
    const at = marks.indexOf(document.activeElement);
    const [next, last] = [at + 1, at - 1];
    const places = { ArrowRight: next, ArrowDown: next, ArrowLeft: last, ArrowUp: last, Home: 0, End: marks.length - 1 };
    const to = places[event.key];
    if (at < 0 || !marks[to]) return;
    event.preventDefault();
    marks[at].setAttribute("tabindex", "-1");
    marks[to].setAttribute("tabindex", "0");
    marks[to].focus();
  });
}

if (location.hash) unfold(document.getElementById(location.hash.slice(1)));
