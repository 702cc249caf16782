// @ts-check
// Draws between two columns of results where each one goes: a line to its place on the other side, a stub if it has none.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** The height at which a result's line begins. @param {HTMLElement} article @param {number} top */
function heightOf(article, top) {
  const head = /** @type {HTMLElement} */ (article.querySelector(".head") ?? article).getBoundingClientRect();
  return head.top + Math.min(head.height, 24) / 2 - top;
}

function drawMoves() {
  const place = document.querySelector(".moves");
  const svg = place?.querySelector("svg");
  if (!(place instanceof HTMLElement) || !svg) return;
  const { width, height, top } = place.getBoundingClientRect();
  svg.replaceChildren();
  // On a narrow window the columns stand below each other.
  if (!width || !height) return;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const [left, right] = ["previousElementSibling", "nextElementSibling"].map((side) =>
    /** @type {HTMLElement[]} */ ([.../** @type {any} */ (place)[side].querySelectorAll("article")]),
  );
  const byDocument = new Map(right.map((article) => [article.dataset.document, article]));
  for (const article of [...left, ...right]) {
    const kind = article.dataset.moved ?? "";
    const other = byDocument.get(article.dataset.document);
    const isLeft = left.includes(article);
    if (!isLeft && kind !== "new") continue;
    const y = heightOf(article, top);
    const path = document.createElementNS(SVG, "path");
    if (isLeft && other) {
      const end = heightOf(other, top);
      path.setAttribute("d", `M0 ${y}C${width / 2} ${y} ${width / 2} ${end} ${width} ${end}`);
    } else {
      const [from, to] = isLeft ? [0, width / 3] : [(width * 2) / 3, width];
      path.setAttribute("d", `M${from} ${y}H${to}M${isLeft ? to : from} ${y - 4}v8`);
    }
    const isSelected = article.classList.contains("selected") || other?.classList.contains("selected");
    path.setAttribute("class", `${kind}${isSelected ? " on" : ""}`);
    svg.append(path);
  }
}

const watched = new ResizeObserver(drawMoves);
function watchMoves() {
  watched.disconnect();
  document.querySelectorAll(".compared > section").forEach((column) => watched.observe(column));
  drawMoves();
}
document.addEventListener("DOMContentLoaded", watchMoves);
document.addEventListener("htmx:afterSettle", watchMoves);
document.addEventListener("focusin", drawMoves);
