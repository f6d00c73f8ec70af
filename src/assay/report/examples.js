"use strict";
// The name of a measure opens the fold of its units, and the name of a combination shows its example beneath its row.
// Without a script both are links to where these stand on the page.

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
  const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (!target) return;
  const row = link.closest(".units tr");
  if (!row) return unfold(target);
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

if (location.hash) unfold(document.getElementById(location.hash.slice(1)));
