// @ts-check
// The table of compared questions: rows come in portions, and those that change most stand first among all of them.
"use strict";

function sortCompared() {
  const body = document.getElementById("compared");
  if (!body) return;
  const rows = /** @type {HTMLElement[]} */ ([...body.querySelectorAll("tr[data-change]")]);
  rows.sort((one, other) => Number(other.dataset.change) - Number(one.dataset.change));
  const more = body.querySelector("tr.more");
  rows.forEach((row) => body.insertBefore(row, more));
  document.querySelectorAll("[data-sum]").forEach((sum) => {
    const field = /** @type {HTMLElement} */ (sum).dataset.sum ?? "";
    sum.textContent = String(rows.reduce((total, row) => total + Number(row.dataset[field]), 0));
  });
  document.querySelectorAll("[data-count]").forEach((count) => {
    const verdict = /** @type {HTMLElement} */ (count).dataset.count;
    count.textContent = String(rows.filter((row) => !verdict || row.dataset.verdict === verdict).length);
  });
}

document.addEventListener("htmx:afterSettle", sortCompared);
