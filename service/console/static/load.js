// @ts-check
// Sends a JSONL or CSV file in portions of whole records, so that a bar can move and an error can name its line.
"use strict";

// Characters and records after which a portion is sent, and the most characters of one record.
const CHARACTERS = 50_000;
const RECORDS = 100;
const LONGEST = 150_000;
const ATTEMPTS = 60;

const form = /** @type {HTMLFormElement} */ (document.getElementById("load"));
const input = /** @type {HTMLInputElement} */ (document.getElementById("file"));
const progress = /** @type {HTMLProgressElement} */ (document.getElementById("progress"));
const statusLine = /** @type {HTMLElement} */ (document.getElementById("status"));
const errorLine = /** @type {HTMLElement} */ (document.getElementById("error"));
const stop = /** @type {HTMLButtonElement} */ (document.getElementById("stop"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button.primary"));
let stopped = false;

/** Yields the portions of a file: their text, the number of their first line, and the header of a CSV file.
 * @param {File} file @param {boolean} isCsv */
async function* portions(file, isCsv) {
  const reader = file.stream().pipeThrough(new TextDecoderStream("utf-8", { fatal: true })).getReader();
  let rest = "", header = isCsv ? null : "", isQuoted = false, records = 0, end = 0, line = 1, first = 1, endLine = 1;
  const take = () => {
    const portion = { text: rest.slice(0, end), line: first, header: header ?? "" };
    rest = rest.slice(end);
    [records, end, first] = [0, 0, endLine];
    return portion;
  };
  for (let place = 0; ; ) {
    const { value, done } = await reader.read();
    rest += value ?? (rest && !rest.endsWith("\n") ? "\n" : "");
    for (; place < rest.length; place++) {
      if (isCsv && rest[place] === '"') isQuoted = !isQuoted;
      if (rest[place] !== "\n") continue;
      line += 1;
      if (isQuoted) continue;
      [records, end, endLine] = [records + 1, place + 1, line];
      if (header === null) {
        header = rest.slice(0, end);
        take();
        place = -1;
      } else if (records >= RECORDS || end >= CHARACTERS) {
        yield take();
        place = -1;
      }
    }
    if (rest.length - end > LONGEST) throw new Error(`Line ${endLine} is too long, or a quotation mark is open: send it with curl`);
    if (done) break;
  }
  if (end) yield take();
  if (rest.trim()) throw new Error(`Line ${first}: a quotation mark is not closed`);
}

/** Sends a portion, again and again while the service is busy. @param {Record<string, string>} fields */
async function send(fields) {
  for (let attempt = 1; ; attempt++) {
    const response = await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), redirect: "error" });
    if (response.headers.get("Content-Type") !== "application/json") {
      throw new Error(response.status === 204 ? "You are not signed in any more: load the page again" : `The service answered ${response.status}: load the page again`);
    }
    const answer = await response.json();
    if (response.ok) return answer;
    if ((response.status === 429 || response.status === 503) && attempt < ATTEMPTS && !stopped) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      continue;
    }
    throw new Error(answer.line ? `Line ${answer.line}: ${answer.message}` : answer.message);
  }
}

/** @param {number} count */
const number = (count) => count.toLocaleString("en");

/** @param {File} file */
async function load(file) {
  const isCsv = /\.(csv|tsv)$/i.test(file.name);
  const data = new FormData(form);
  const collection = String(data.get("collection"));
  const counts = { written: 0, unchanged: 0, cut: 0 };
  let sent = 0;
  const say = (/** @type {string} */ beginning) =>
    (statusLine.textContent = `${beginning}: ${number(counts.written)} documents written, ${number(counts.unchanged)} unchanged` + (counts.cut ? `, ${number(counts.cut)} cut, because they are longer than the model reads.` : "."));
  [errorLine.textContent, progress.value, progress.hidden, stop.hidden, button.disabled, stopped] = ["", 0, false, false, true, false];
  try {
    for await (const portion of portions(file, isCsv)) {
      if (stopped) break;
      const answer = await send({
        form_token: String(data.get("form_token")), collection, kind: isCsv ? "csv" : "jsonl",
        header: portion.header, line: String(portion.line), text: portion.text,
      });
      counts.written += answer.written;
      counts.unchanged += answer.unchanged;
      counts.cut += answer.cut;
      sent += new Blob([portion.text]).size;
      progress.value = sent / file.size;
      say(`Loading ${file.name}`);
    }
    if (!stopped) progress.value = 1;
    say(stopped ? "Stopped" : "Done");
    const link = document.createElement("a");
    link.href = `${form.dataset.show}?${new URLSearchParams({ collection })}`;
    link.textContent = `Show ${collection}`;
    statusLine.append(" ", link);
  } catch (error) {
    say("Stopped");
    errorLine.textContent = error instanceof TypeError ? "The file or the service cannot be read: is the file UTF-8, and does the service run?" : String(/** @type {Error} */ (error).message);
  }
  [stop.hidden, button.disabled] = [true, false];
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (input.files?.[0]) void load(input.files[0]);
});
stop.addEventListener("click", () => (stopped = true));
const zone = /** @type {HTMLElement} */ (form.querySelector(".drop"));
for (const name of ["dragover", "dragleave", "drop"]) {
  form.addEventListener(name, (event) => {
    event.preventDefault();
    zone.classList.toggle("over", name === "dragover");
    const files = /** @type {DragEvent} */ (event).dataTransfer?.files;
    if (name === "drop" && files?.length) input.files = files;
  });
}
