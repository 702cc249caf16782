// Search and sorting of the table of questions. Without scripts, as in a package that a console shows, it is a plain table.
"use strict";

const table = document.querySelector("#questions");
const rows = [...table.tBodies[0].rows];
const search = document.querySelector("#search");
const shown = document.querySelector("#shown");

search.closest("p").hidden = false;
search.addEventListener("input", () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    count += row.hidden ? 0 : 1;
  }
  shown.textContent = `${count} of ${rows.length}`;
});

for (const [column, header] of [...table.tHead.rows[0].cells].entries()) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = header.textContent;
  button.addEventListener("click", () => {
    const rising = header.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
    const compare = (one, other) => value(one).localeCompare(value(other), undefined, { numeric: true });
    rows.sort((one, other) => (rising ? compare(one, other) : compare(other, one)));
    table.tBodies[0].append(...rows);
  });
  header.replaceChildren(button);
}
