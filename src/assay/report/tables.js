"use strict";
// A click on the head of a column sorts the rows of a table, and words typed above a long one keep the rows that hold them.
// Without a script the tables stand as they were written.

const LONG = 10; // rows from which on a table can be filtered

/** The number that a cell begins with (1,204, −0.5, .031, < .001), or none. */
function numberIn(text) {
  const found = /^[<>≤≥~ ]*([−-]?)([\d,]*\.?\d+(?:e[−+-]?\d+)?)/i.exec(text);
  if (!found) return null;
  const value = Number(found[2].replaceAll(",", "").replace("−", "-"));
  return found[1] ? -value : value;
}

/** The words of a row in a column; a cell that reaches over several stands in each of them. */
function wordsOf(row, column) {
  let at = 0;
  for (const cell of row.cells) {
    at += cell.colSpan;
    if (column < at) return (cell.firstChild?.textContent ?? "").trim() || cell.textContent.trim();
  }
  return "";
}

/** Rows in the order of a column. Those without a number come last in a column of numbers, whichever way it is sorted. */
function sorted(rows, column, way) {
  const found = rows.map((row) => ({ row, words: wordsOf(row, column) }));
  for (const one of found) one.number = numberIn(one.words);
  const numbers = found.filter((one) => one.number !== null);
  const isNumeric = numbers.length * 2 > found.filter((one) => one.words).length;
  const [first, last] = isNumeric ? [numbers, found.filter((one) => one.number === null)] : [found, []];
  const compare = isNumeric ? (a, b) => a.number - b.number : (a, b) => a.words.localeCompare(b.words, undefined, { numeric: true });
  return [...first.sort((a, b) => way * compare(a, b)), ...last].map((one) => one.row);
}

function makeSortable(table, rows) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (!head.textContent.trim() && column) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    if (!button.textContent.trim()) button.setAttribute("aria-label", "sort by name");
    head.append(button);
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" }[head.ariaSort ?? "none"];
      for (const other of heads) other.removeAttribute("aria-sort");
      if (next !== "none") head.ariaSort = next;
      body.append(...(next === "none" ? rows : sorted(rows, column, next === "ascending" ? 1 : -1)));
    });
  });
}

function makeFiltered(table, rows) {
  const bar = document.createElement("p");
  const box = document.createElement("input");
  const told = document.createElement("span");
  bar.className = "filter";
  box.type = "search";
  box.placeholder = "rows with …";
  box.setAttribute("aria-label", "show only rows with these words");
  told.setAttribute("role", "status");
  box.addEventListener("input", () => {
    const wanted = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
    told.textContent = wanted.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
  });
  bar.append(box, told);
  (table.closest(".scroll") ?? table).before(bar);
}

function prepare(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length > 1 && !table.classList.contains("compare")) makeSortable(table, rows);
  if (rows.length >= LONG) makeFiltered(table, rows);
}

// Paper has no folds to open.
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("details.measured")) fold.open = true;
});

// Of the hundreds of tables of units only those that are looked at.
for (const table of document.querySelectorAll("table.rows")) {
  const fold = table.closest(".units > details");
  if (fold) fold.addEventListener("toggle", () => prepare(table), { once: true });
  else prepare(table);
}
