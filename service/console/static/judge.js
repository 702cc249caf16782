// @ts-check
// After a verdict the next passage that waits is selected at once, before the service has answered.
"use strict";

/** Passages in the order of their verdicts, the last one to be undone first. @type {HTMLElement[]} */
const judged = [];

/** @param {EventTarget | null} target */
const itemOf = (target) => /** @type {HTMLElement | null} */ (target instanceof Element ? target.closest("[data-item]") : null);
/** @param {HTMLElement} item */
const waits = (item) => !("sent" in item.dataset) && item.querySelector('form[data-said=""]') !== null;

/** Select the passage that waits after `item`; fetch more when none does. @param {HTMLElement | null} item */
function selectNext(item) {
  const all = items();
  if (!all.some((one) => waits(one) && !("later" in one.dataset))) {
    for (const one of all) delete one.dataset.later;
  }
  const after = item ? all.indexOf(item) + 1 : 0;
  const inTurn = [...all.slice(after), ...all.slice(0, after)];
  const next = inTurn.find((one) => waits(one) && !("later" in one.dataset));
  if (next) select(next);
  else if (all.some((one) => "sent" in one.dataset)) return;
  else more();
}

function more() {
  const place = document.querySelector('#more[hx-trigger="more"]');
  if (!(place instanceof HTMLElement)) return;
  place.textContent = "Looking for more…";
  place.dispatchEvent(new Event("more"));
}

function undoLast() {
  const item = judged.pop() ?? selected();
  if (!item) return;
  select(item);
  // The answer to its verdict is still to come: undo it then.
  if ("sent" in item.dataset) item.dataset.undo = "";
  else {
    const button = item.querySelector("[data-undo]");
    if (button instanceof HTMLElement) button.click();
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt } = /** @type {CustomEvent} */ (event).detail;
  const item = itemOf(elt);
  if (!item || !(elt instanceof HTMLFormElement)) return;
  item.dataset.sent = "";
  delete item.dataset.unsent;
  delete item.dataset.later;
  judged.push(item);
  selectNext(item);
});

document.addEventListener("htmx:afterSettle", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const item = itemOf(target);
  if (!item) {
    const nothing = document.getElementById("nothing");
    if (nothing) {
      selected()?.classList.remove("selected");
      nothing.focus();
    } else if (target?.closest("#hand") && !(selected() && waits(/** @type {HTMLElement} */ (selected())))) selectNext(null);
    return;
  }
  const wasSent = "sent" in item.dataset;
  delete item.dataset.sent;
  if (item.querySelector("[data-problem]")) {
    delete item.dataset.undo;
    const index = judged.lastIndexOf(item);
    if (index >= 0) judged.splice(index, 1);
    select(item);
  } else if ("undo" in item.dataset) {
    delete item.dataset.undo;
    const button = item.querySelector("[data-undo]");
    if (button instanceof HTMLElement) button.click();
  } else if (wasSent && !items().some((one) => waits(one) || "sent" in one.dataset)) {
    selectNext(item);
  } else if (!wasSent) {
    select(item);
  }
  document.body.dispatchEvent(new Event("judged"));
});

// A request that got no answer leaves its passage waiting.
for (const kind of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(kind, (event) => {
    const item = itemOf(/** @type {CustomEvent} */ (event).detail.elt);
    if (!item) return;
    delete item.dataset.sent;
    delete item.dataset.undo;
    item.dataset.unsent = "";
    const index = judged.lastIndexOf(item);
    if (index >= 0) judged.splice(index, 1);
    select(item);
  });
}

// A key that is pressed twice judges once, and no form leaves the page before htmx has taken it.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.matches(".verdict")) return;
    event.preventDefault();
    const item = itemOf(form);
    if (item && "sent" in item.dataset) event.stopImmediatePropagation();
  },
  true,
);

// The text of a chosen file is shown before it is imported.
document.addEventListener("change", (event) => {
  const input = event.target;
  if (!(input instanceof HTMLInputElement) || !input.dataset.into || !input.files?.[0]) return;
  const field = document.getElementById(input.dataset.into);
  void input.files[0].text().then((text) => {
    if (field instanceof HTMLTextAreaElement) field.value = text;
  });
});

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-undo-last]")) undoLast();
  if (target?.closest("[data-later]")) {
    const item = itemOf(target);
    if (item) item.dataset.later = "";
    selectNext(item);
  }
});
