// @ts-check
// Maps of documents: up to 200,000 points, drawn into the pixels of a canvas. Two maps share one view and one selection.
// It is a module, so that its names are not those of other scripts.
export {};

/** @typedef {{document: number[], x: number[], y: number[], group: number[], groups: {value: unknown, documents: number}[]}} Points */
/** @typedef {{query: string, collection: string, x: number, y: number, judged: boolean, first_good: number | null, searches: number}} Question */

const frame = /** @type {HTMLElement} */ (document.getElementById("maps"));
const hoveredLine = /** @type {HTMLElement} */ (document.getElementById("hovered"));
const pointCard = /** @type {HTMLElement} */ (document.getElementById("point"));
const legend = /** @type {HTMLElement} */ (document.getElementById("legend"));
const root = frame.dataset.root ?? "";
// Positions are whole numbers; a map is about as large as from minus this to this.
const EXTENT = 10_000;
const GROUPS = 8;
// Pixels of the screen within which a pointer means a point, and that a finger may move in a tap.
const NEAR = 12, STILL = 5;
const hint = hoveredLine.textContent ?? "";

/** The middle of the view, and how many times larger it is than the whole map. */
const view = { x: 0, y: 0, zoom: 1 };
/** The documents that are marked, by number. */
const marked = { selected: Number(frame.dataset.point) || 0, hovered: 0 };
/** Groups that are not shown. @type {Set<number>} */
const hidden = new Set();

/** A colour of the console as the four bytes of a pixel. @param {string} name @returns {number} */
function pixel(name) {
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!probe) return 0;
  probe.fillStyle = colour(name);
  probe.fillRect(0, 0, 1, 1);
  return new Uint32Array(probe.getImageData(0, 0, 1, 1).data.buffer)[0] ?? 0;
}
/** The colours of the console are of light and dark at once, which a canvas does not know. @param {string} name */
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  frame.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}
/** The colours of points by group, and those of marks. */
let pixels = new Uint32Array(), ink = { text: "", good: "", bad: "", ground: "" };
function readColours() {
  pixels = Uint32Array.from({ length: GROUPS + 1 }, (_, group) => pixel(`--group-${group}`));
  ink = { text: colour("--text"), good: colour("--good"), bad: colour("--bad"), ground: colour("--card") };
}

class Plot {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.generation = canvas.dataset.generation ?? "";
    // Its pixels are made here, so they belong into memory and not into a GPU's.
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
    /** @type {Points} */
    this.points = { document: [], x: [], y: [], group: [], groups: [] };
    /** @type {Question[]} */
    this.questions = [];
    this.image = new ImageData(1, 1);
  }

  async load() {
    const asked = new URLSearchParams({ generation: this.generation, key: frame.dataset.colour ?? "" });
    const [points, questions] = await Promise.all(["points", "questions"].map((what) => read(`${root}/console/map/${what}.json?${asked}`)));
    this.points = points;
    this.questions = questions.questions;
  }

  /** Pixels of the canvas for each unit of the map. */
  get scale() {
    return (Math.min(this.canvas.width, this.canvas.height) / (2.1 * EXTENT)) * view.zoom;
  }
  /** @param {number} x */
  left(x) {
    return this.canvas.width / 2 + (x - view.x) * this.scale;
  }
  /** @param {number} y */
  top(y) {
    return this.canvas.height / 2 - (y - view.y) * this.scale;
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.canvas.clientWidth * ratio), Math.round(this.canvas.clientHeight * ratio)];
    if (this.canvas.width !== width || this.canvas.height !== height) [this.canvas.width, this.canvas.height] = [width, height];
    if (!width || !height) return;
    this.drawPoints(width, height, ratio);
    this.questions.forEach((question) => this.drawQuestion(question, ratio));
    this.drawRing(marked.hovered, 6 * ratio, ratio);
    this.drawRing(marked.selected, 9 * ratio, 2.5 * ratio);
    if (document.activeElement === this.canvas && this.canvas.matches(":focus-visible")) this.drawCross(width / 2, height / 2, 8 * ratio, ink.text, ratio);
  }

  /** @param {number} width @param {number} height @param {number} ratio */
  drawPoints(width, height, ratio) {
    const { x, y, group } = this.points;
    if (this.image.width !== width || this.image.height !== height) this.image = new ImageData(width, height);
    const target = new Uint32Array(this.image.data.buffer).fill(0);
    const count = x.length;
    const radius = Math.max(1, Math.round(ratio * Math.min(5, Math.max(0.7, (110 / Math.sqrt(count + 1)) * Math.sqrt(view.zoom)))));
    const disc = [];
    for (let down = -radius; down <= radius; down++)
      for (let across = -radius; across <= radius; across++) if (across * across + down * down <= radius * (radius + 0.8)) disc.push(down * width + across);
    const [scale, middle, centre] = [this.scale, width / 2 - view.x * this.scale, height / 2 + view.y * this.scale];
    // In an order of its own, so that no group lies on all others.
    const stride = strideOf(count);
    for (let step = 0, row = 0; step < count; step++, row = (row + stride) % count) {
      const of = group[row] ?? 0;
      if (hidden.has(of)) continue;
      const left = Math.round(middle + (x[row] ?? 0) * scale), top = Math.round(centre - (y[row] ?? 0) * scale);
      if (left < radius || top < radius || left >= width - radius || top >= height - radius) continue;
      const at = top * width + left, value = pixels[Math.min(of, GROUPS)] ?? 0;
      for (const offset of disc) target[at + offset] = value;
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** @param {Question} question @param {number} ratio */
  drawQuestion(question, ratio) {
    const [left, top, size] = [this.left(question.x), this.top(question.y), 5 * ratio];
    if (!question.judged) {
      this.drawCircle(left, top, size, ink.ground, 5 * ratio);
      this.drawCircle(left, top, size, ink.text, 2 * ratio);
      return;
    }
    if (question.first_good === null) {
      this.drawCross(left, top, size, ink.ground, 5 * ratio, true);
      this.drawCross(left, top, size, ink.bad, 2.5 * ratio, true);
      return;
    }
    const context = this.context;
    context.beginPath();
    context.moveTo(left, top - size - ratio);
    context.lineTo(left + size + ratio, top);
    context.lineTo(left, top + size + ratio);
    context.lineTo(left - size - ratio, top);
    context.closePath();
    [context.fillStyle, context.strokeStyle, context.lineWidth] = [ink.good, ink.ground, 1.5 * ratio];
    context.fill();
    context.stroke();
  }

  /** @param {number} left @param {number} top @param {number} size @param {string} style @param {number} width @param {boolean} [slanted] */
  drawCross(left, top, size, style, width, slanted = false) {
    const context = this.context;
    const ends = slanted ? [[-1, -1, 1, 1], [-1, 1, 1, -1]] : [[-1, 0, 1, 0], [0, -1, 0, 1]];
    context.beginPath();
    for (const [x = 0, y = 0, toX = 0, toY = 0] of ends) {
      context.moveTo(left + x * size, top + y * size);
      context.lineTo(left + toX * size, top + toY * size);
    }
    [context.strokeStyle, context.lineWidth] = [style, width];
    context.stroke();
  }

  /** @param {number} number @param {number} radius @param {number} width */
  drawRing(number, radius, width) {
    const row = number ? rowOf(this.points.document, number) : -1;
    if (row < 0) return;
    this.drawCircle(this.left(this.points.x[row] ?? 0), this.top(this.points.y[row] ?? 0), radius, ink.text, Math.max(1.5, width));
  }

  /** @param {number} left @param {number} top @param {number} radius @param {string} style @param {number} width */
  drawCircle(left, top, radius, style, width) {
    const context = this.context;
    context.beginPath();
    context.arc(left, top, radius, 0, 2 * Math.PI);
    [context.strokeStyle, context.lineWidth] = [style, width];
    context.stroke();
  }

  /** The nearest question and the nearest document within a distance of a place on the canvas.
   * @param {number} left @param {number} top @param {number} within */
  near(left, top, within) {
    const ratio = devicePixelRatio || 1;
    const [x, y, far] = [view.x + (left * ratio - this.canvas.width / 2) / this.scale, view.y - (top * ratio - this.canvas.height / 2) / this.scale, (within * ratio) / this.scale];
    const { x: xs, y: ys, group } = this.points;
    let row = -1, least = far * far;
    for (let index = 0; index < xs.length; index++) {
      const across = (xs[index] ?? 0) - x, up = (ys[index] ?? 0) - y, distance = across * across + up * up;
      if (distance < least && !hidden.has(group[index] ?? 0)) [least, row] = [distance, index];
    }
    const questions = this.questions.filter((one) => Math.hypot(one.x - x, one.y - y) < far).sort((one, other) => Math.hypot(one.x - x, one.y - y) - Math.hypot(other.x - x, other.y - y));
    return { row, question: questions[0] };
  }
}

/** The row of a number among ascending ones, -1 if it is not there. @param {number[]} ascending @param {number} number */
function rowOf(ascending, number) {
  let [low, high] = [0, ascending.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1, value = ascending[middle] ?? 0;
    if (value === number) return middle;
    if (value < number) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
/** A step that comes to each of `count` rows once, with neighbours far from each other. @param {number} count */
function strideOf(count) {
  const divides = (/** @type {number} */ one, /** @type {number} */ other) => { while (other) [one, other] = [other, one % other]; return one > 1; };
  let stride = Math.max(1, Math.floor(count * 0.618));
  while (divides(stride, count)) stride++;
  return stride;
}
/** @param {string} address */
async function read(address) {
  const answer = await fetch(address);
  if (!(answer.headers.get("Content-Type") ?? "").startsWith("application/json")) throw new Error("load the page again");
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.message);
  return content;
}

const plots = [...frame.querySelectorAll("canvas")].map((canvas) => new Plot(canvas));
let scheduled = false;
function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    plots.forEach((plot) => plot.draw());
  });
}

let saving = 0;
/** Put view and selection into the address and into the form, a moment after the last change. */
function remember() {
  clearTimeout(saving);
  saving = window.setTimeout(() => {
    const at = view.zoom === 1 && !view.x && !view.y ? "" : [view.x, view.y, view.zoom * 100].map(Math.round).join(",");
    const address = new URL(location.href);
    for (const [name, value] of [["at", at], ["point", marked.selected ? String(marked.selected) : ""]]) {
      if (value) address.searchParams.set(name, value);
      else address.searchParams.delete(name);
      const field = document.querySelector(`#choice [name=${name}]`);
      if (field instanceof HTMLInputElement) field.value = value;
    }
    history.replaceState(history.state, "", address);
  }, 200);
}
/** @param {number} x @param {number} y @param {number} zoom */
function show(x, y, zoom) {
  view.zoom = Math.min(200, Math.max(0.5, zoom));
  view.x = Math.min(2 * EXTENT, Math.max(-2 * EXTENT, x));
  view.y = Math.min(2 * EXTENT, Math.max(-2 * EXTENT, y));
  redraw();
  remember();
}
/** Zoom so that a place on the canvas stays where it is. @param {Plot} plot @param {number} factor @param {number} left @param {number} top */
function zoomAt(plot, factor, left, top) {
  const ratio = devicePixelRatio || 1;
  const [across, down] = [left * ratio - plot.canvas.width / 2, top * ratio - plot.canvas.height / 2];
  const before = plot.scale;
  const zoom = Math.min(200, Math.max(0.5, view.zoom * factor));
  const after = (before / view.zoom) * zoom;
  show(view.x + across / before - across / after, view.y - down / before + down / after, zoom);
}

/** @param {Plot} plot @param {number} number */
function select(plot, number) {
  marked.selected = number;
  redraw();
  remember();
  pointCard.hidden = false;
  const asked = new URLSearchParams({ generation: plot.generation, point: String(number) });
  // @ts-ignore: htmx is a script of its own.
  void htmx.ajax("GET", `${root}/console/map/point?${asked}`, { target: "#point", swap: "innerHTML" });
}
/** @param {Question} question */
const said = ({ query, judged, first_good, searches }) => {
  const times = searches ? `, asked ${searches} times lately` : "";
  return `“${query}”: ${!judged ? "nobody has judged it" : first_good === null ? "no good document among the first ten" : `a good document at rank ${first_good}`}${times}`;
};

/** @param {Plot} plot */
function listen(plot) {
  const canvas = plot.canvas;
  /** Where each finger is. @type {Map<number, {x: number, y: number}>} */
  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (fingers.size === 1) moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) {
      const { row, question } = plot.near(event.offsetX, event.offsetY, NEAR);
      marked.hovered = row < 0 ? 0 : (plot.points.document[row] ?? 0);
      const group = plots[0]?.points.groups[plot.points.group[row] ?? GROUPS];
      hoveredLine.textContent = question ? said(question) : row < 0 ? hint : `${nameOf(group?.value)}: click to read the document`;
      redraw();
      return;
    }
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    const [across, down] = [event.offsetX - before.x, event.offsetY - before.y];
    moved += Math.hypot(across, down);
    fingers.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    if (other) {
      const apart = Math.hypot(before.x - other.x, before.y - other.y) || 1;
      zoomAt(plot, Math.hypot(event.offsetX - other.x, event.offsetY - other.y) / apart, other.x, other.y);
    } else {
      const ratio = devicePixelRatio || 1;
      show(view.x - (across * ratio) / plot.scale, view.y + (down * ratio) / plot.scale, view.zoom);
    }
  });
  for (const name of /** @type {const} */ (["pointerup", "pointercancel"]))
    canvas.addEventListener(name, (event) => {
      if (!fingers.delete(event.pointerId) || name === "pointercancel" || fingers.size || moved > STILL) return;
      choose(plot, event.offsetX, event.offsetY);
    });
  canvas.addEventListener("pointerleave", () => {
    marked.hovered = 0;
    hoveredLine.textContent = hint;
    redraw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomAt(plot, Math.exp(-Math.sign(event.deltaY) * Math.min(0.4, Math.abs(event.deltaY) / 300)), event.offsetX, event.offsetY);
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = (0.2 * EXTENT) / view.zoom;
    const [x = 0, y = 0] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key] ?? [];
    if (x || y) show(view.x + x, view.y + y, view.zoom);
    else if (event.key === "Enter") choose(plot, canvas.clientWidth / 2, canvas.clientHeight / 2, Infinity);
    else return;
    event.preventDefault();
  });
  for (const name of ["focus", "blur"]) canvas.addEventListener(name, redraw);
  new ResizeObserver(redraw).observe(canvas);
}
/** @param {Plot} plot @param {number} left @param {number} top @param {number} [within] */
function choose(plot, left, top, within = NEAR) {
  const { row, question } = plot.near(left, top, within);
  if (question && within === NEAR) {
    hoveredLine.textContent = said(question);
    return;
  }
  if (row >= 0) select(plot, plot.points.document[row] ?? 0);
}

/** @param {unknown} value */
const nameOf = (value) => (value === null || value === undefined ? "all others" : String(value));
/** The groups of the first map: each is a button that hides or shows its points. @param {Plot} plot */
function listGroups(plot) {
  legend.replaceChildren(
    ...plot.points.groups.map(({ value, documents }, group) => {
      const [item, button, swatch] = [document.createElement("li"), document.createElement("button"), document.createElement("span")];
      swatch.className = `swatch group-${value === null ? GROUPS : group}`;
      swatch.ariaHidden = "true";
      button.type = "button";
      button.ariaPressed = "true";
      button.append(swatch, `${nameOf(value)} · ${documents.toLocaleString("en")}`);
      button.title = "Hide or show these documents";
      button.addEventListener("click", () => {
        const number = value === null ? GROUPS : group;
        if (!hidden.delete(number)) hidden.add(number);
        button.ariaPressed = String(!hidden.has(number));
        redraw();
      });
      item.append(button);
      return item;
    }),
  );
}
/** Give the groups of a map the numbers that equal values have on the first map. @param {Plot} plot @param {Plot} first */
function alignGroups(plot, first) {
  const numbers = plot.points.groups.map(({ value }) => {
    const same = value === null ? -1 : first.points.groups.findIndex((group) => group.value === value);
    return same < 0 ? GROUPS : same;
  });
  plot.points.group = plot.points.group.map((group) => numbers[group] ?? GROUPS);
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target.closest("[data-zoom], [data-x]") : null;
  if (!(target instanceof HTMLElement)) return;
  const { zoom, x, y, query } = target.dataset;
  if (zoom) return zoom === "all" ? show(0, 0, 1) : show(view.x, view.y, view.zoom * (zoom === "in" ? 1.6 : 1 / 1.6));
  event.preventDefault();
  show(Number(x), Number(y), Math.max(view.zoom, 6));
  hoveredLine.textContent = `In the middle: “${query ?? ""}”`;
  plots[0]?.canvas.scrollIntoView({ block: "nearest" });
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  redraw();
});

async function start() {
  readColours();
  const [x = 0, y = 0, zoom = 100] = (frame.dataset.at ?? "").split(",").filter(Boolean).map(Number);
  if ([x, y, zoom].every(Number.isFinite)) [view.x, view.y, view.zoom] = [x, y, Math.min(200, Math.max(0.5, zoom / 100))];
  plots.forEach(listen);
  await Promise.all(
    plots.map(async (plot) => {
      try {
        await plot.load();
      } catch (error) {
        const line = plot.canvas.parentElement?.querySelector("[data-problem]");
        if (line instanceof HTMLElement) [line.textContent, line.hidden] = [`The map cannot be shown: ${/** @type {Error} */ (error).message}`, false];
      }
    }),
  );
  const [first] = plots;
  if (!first) return;
  listGroups(first);
  for (const plot of [...plots].reverse()) alignGroups(plot, first);
  redraw();
  frame.dataset.shown = "";
  const holder = plots.find((plot) => rowOf(plot.points.document, marked.selected) >= 0);
  if (holder) select(holder, marked.selected);
}
void start();
