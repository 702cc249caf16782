// @ts-check
// Keys, dialogs, and the selected item, also from one column to the other. Everything else is HTML from the server.
"use strict";

/** @param {EventTarget | null} target */
const isTyping = (target) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("input:not([type=checkbox], [type=radio], [type=file]), textarea, select"));

const items = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-item]")]);
const selected = () => /** @type {HTMLElement | null} */ (document.querySelector("[data-item].selected"));

/** @param {HTMLElement | undefined} item */
function select(item) {
  if (!item) return;
  selected()?.classList.remove("selected");
  item.classList.add("selected");
  item.focus({ preventScroll: true });
  item.scrollIntoView({ block: "nearest" });
}

/** @param {number} by */
function move(by) {
  const all = items();
  const now = selected();
  const index = now ? all.indexOf(now) + by : by > 0 ? 0 : all.length - 1;
  select(all[Math.min(Math.max(index, 0), all.length - 1)]);
}

/** Select the item of the same rank in the column beside; false if there is none. @param {number} by */
function moveAcross(by) {
  const all = items();
  const columns = [...document.querySelectorAll(".columns.two > section")].map((column) => all.filter((item) => column.contains(item)));
  const now = selected();
  const from = columns.findIndex((column) => now !== null && column.includes(now));
  const to = columns[from < 0 ? (by + 1) / 2 : from + by];
  if (!to?.length) return false;
  select(to[Math.min(from < 0 || !now ? 0 : columns[from].indexOf(now), to.length - 1)]);
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(event.target)) {
    /** @type {HTMLElement} */ (event.target).blur();
    return;
  }
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "/") {
    const field = document.querySelector("[data-first]");
    if (field instanceof HTMLInputElement) {
      event.preventDefault();
      field.focus();
      field.select();
    }
    return;
  }
  if (event.key === "j" || event.key === "k") {
    event.preventDefault();
    move(event.key === "j" ? 1 : -1);
    return;
  }
  if ((event.key === "h" || event.key === "l") && moveAcross(event.key === "l" ? 1 : -1)) return;
  const key = CSS.escape(event.key);
  const control = selected()?.querySelector(`[data-key="${key}"]`) ?? document.querySelector(`[data-key="${key}"]:not([data-item] *)`);
  if (control instanceof HTMLElement) {
    event.preventDefault();
    // What is filled in next has the focus, so that the next key goes on from there.
    if (control.matches("input, select, summary")) control.focus();
    control.click();
  }
});

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const opener = target?.closest("[data-open]");
  if (opener instanceof HTMLElement) {
    const dialog = document.getElementById(opener.dataset.open ?? "");
    if (dialog instanceof HTMLDialogElement) dialog.showModal();
  }
  const copier = target?.closest("[data-copy]");
  if (copier instanceof HTMLElement) {
    void navigator.clipboard.writeText(copier.dataset.copy ?? "").then(() => {
      copier.dataset.copied = "";
      setTimeout(() => delete copier.dataset.copied, 1500);
    });
  }
  const item = target?.closest("[data-item]");
  if (item instanceof HTMLElement && !target?.closest("a, button, input, select, summary")) select(item);
});

// A form that unfolds is filled in at once.
document.addEventListener(
  "toggle",
  (event) => {
    const details = event.target;
    if (!(details instanceof HTMLDetailsElement) || !details.open || !details.matches(".make")) return;
    const field = details.querySelector("input:not([type=hidden])");
    if (field instanceof HTMLInputElement) field.focus();
  },
  true,
);

// A selection outlives the exchange of what it stands in.
let position = -1;
document.addEventListener("htmx:beforeSwap", () => {
  const now = selected();
  position = now ? items().indexOf(now) : -1;
});
document.addEventListener("htmx:afterSettle", () => {
  if (position >= 0 && !selected()) select(items()[Math.min(position, items().length - 1)]);
});
// Who is quick sends a second form before the first has been answered. The answer to the second one then belongs where
// the answer to the first has been put.
document.addEventListener("htmx:beforeRequest", (event) => {
  const target = /** @type {CustomEvent} */ (event).detail.target;
  target.addEventListener("htmx:beforeSwap", (/** @type {CustomEvent} */ swap) => {
    if (!target.isConnected) swap.detail.target = document.getElementById(target.id) ?? target;
  });
});
// Answers that say what went wrong are shown like any other page.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const detail = /** @type {CustomEvent} */ (event).detail;
  if (detail.xhr.status >= 400 && detail.xhr.status !== 401) {
    detail.shouldSwap = true;
    detail.isError = false;
  }
});
