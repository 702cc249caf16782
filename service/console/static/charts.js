// @ts-check
// Charts of figures over time, drawn by uPlot from JSON of the console. A table beside each one has the numbers.
"use strict";

/** @typedef {{generation: number, model: string, at: number[], ndcg: (number | null)[][], recall: (number | null)[][]}} Line */

// The colours of the console are of light and dark at once, which a canvas does not know.
/** @param {HTMLElement} near @param {string} name */
function resolved(near, name) {
  near.style.color = `var(${name})`;
  const value = getComputedStyle(near).color;
  near.style.color = "";
  return value;
}
// The newest generation has the first colour.
const COLOURS = ["--accent", "--bad", "--text", "--muted", "--good"];
const DAY = 86400;
const dayOf = (/** @type {number} */ seconds) =>
  new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

const shownDay = (/** @type {unknown} */ _, /** @type {number | null} */ seconds) => (seconds == null ? "" : dayOf(seconds));

/** @param {HTMLElement} at @param {object} options @param {(number | null)[][]} data */
function draw(at, options, data) {
  const [axis, grid] = [resolved(at, "--muted"), resolved(at, "--line")];
  const look = { stroke: axis, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } };
  const incrs = [1, 2, 7, 14, 28, 91, 364].map((days) => days * DAY);
  const values = (/** @type {unknown} */ _, /** @type {number[]} */ splits) => splits.map(dayOf);
  const axes = [{ ...look, incrs, values }, look];
  // @ts-ignore: uPlot is a script of its own.
  const tzDate = (/** @type {number} */ seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
  // @ts-ignore: uPlot is a script of its own.
  const chart = new uPlot({ width: at.clientWidth, height: 220, axes, tzDate, cursor: { drag: { x: false, y: false } }, ...options }, data, at);
  new ResizeObserver(() => chart.setSize({ width: at.clientWidth, height: 220 })).observe(at);
}

/** @param {HTMLElement} at @param {{series: Line[], activations: {generation: number, at: number}[]}} sent */
function drawHistory(at, sent) {
  const figure = at.dataset.figure === "recall" ? "recall" : "ndcg";
  const lines = sent.series.slice(-COLOURS.length);
  const times = [...new Set(lines.flatMap((line) => line.at))].sort((a, b) => a - b);
  const data = lines.map((line) => times.map((time) => line[figure][line.at.indexOf(time)] ?? null));
  const strokes = lines.map((_, index) => resolved(at, COLOURS[lines.length - 1 - index] ?? "--text"));
  const whiskers = (/** @type {any} */ chart) => {
    data.forEach((points, index) => {
      if (!chart.series[index + 1].show) return;
      chart.ctx.strokeStyle = strokes[index];
      chart.ctx.lineWidth = 1.5 * devicePixelRatio;
      points.forEach((point, position) => {
        const [low, high] = [point?.[1], point?.[2]];
        if (low == null || high == null) return;
        const x = chart.valToPos(times[position], "x", true);
        chart.ctx.beginPath();
        chart.ctx.moveTo(x, chart.valToPos(low, "y", true));
        chart.ctx.lineTo(x, chart.valToPos(high, "y", true));
        chart.ctx.stroke();
      });
    });
  };
  const muted = resolved(at, "--muted");
  const activations = (/** @type {any} */ chart) => {
    const { left, top, width, height } = chart.bbox;
    chart.ctx.save();
    Object.assign(chart.ctx, { strokeStyle: muted, fillStyle: muted, textAlign: "left", lineWidth: devicePixelRatio, font: `${11 * devicePixelRatio}px system-ui, sans-serif` });
    chart.ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const activation of sent.activations) {
      const x = chart.valToPos(activation.at, "x", true);
      if (x < left || x > left + width) continue;
      chart.ctx.beginPath();
      chart.ctx.moveTo(x, top);
      chart.ctx.lineTo(x, top + height);
      chart.ctx.stroke();
      chart.ctx.fillText(`${activation.generation} live`, x + 3 * devicePixelRatio, top + 11 * devicePixelRatio);
    }
    chart.ctx.restore();
  };
  const series = lines.map((line, index) => ({
    label: `generation ${line.generation} · ${line.model.replace(/@[0-9a-f]+$/, "")}`,
    stroke: strokes[index],
    width: 2,
    points: { show: true, size: 7 },
    spanGaps: true,
    value: (/** @type {unknown} */ _, /** @type {number | null} */ value) => (value == null ? "" : value.toFixed(3)),
  }));
  const range = [(times[0] ?? 0) - DAY, (times.at(-1) ?? DAY) + DAY];
  const markers = { width: 0, fill: (/** @type {unknown} */ _, /** @type {number} */ index) => strokes[index - 1] };
  draw(at, { legend: { markers }, series: [{ label: "day", value: shownDay }, ...series], scales: { x: { range: () => range }, y: { range: [0, 1] } }, hooks: { draw: [activations, whiskers] } }, [
    times,
    ...data.map((points) => points.map((point) => point?.[0] ?? null)),
  ]);
}

/** @param {HTMLElement} at @param {{days: number[], good: number[], bad: number[]}} sent */
function drawDays(at, sent) {
  const [good, bad] = [resolved(at, "--good"), resolved(at, "--bad")];
  // Bars of good answers rise from the line in the middle, those of bad ones hang below it.
  // @ts-ignore: uPlot is a script of its own.
  const bars = uPlot.paths.bars({ size: [0.6, 24] });
  const shown = (/** @type {unknown} */ _, /** @type {number | null} */ value) => (value == null ? "" : String(Math.abs(value)));
  const series = [
    { label: "day", value: shownDay },
    { label: "good", stroke: good, fill: good, paths: bars, points: { show: false }, value: shown },
    { label: "bad", stroke: bad, fill: bad, paths: bars, points: { show: false }, value: shown },
  ];
  const range = [(sent.days[0] ?? 0) - DAY, (sent.days.at(-1) ?? DAY) + DAY];
  draw(at, { series, scales: { x: { range: () => range } } }, [sent.days, sent.good, sent.bad.map((count) => -count)]);
}

/** @param {HTMLElement} at */
async function drawChart(at) {
  at.dataset.drawn = "";
  try {
    const answer = await fetch(at.dataset.source ?? "");
    if (!answer.ok) throw new Error(String(answer.status));
    const sent = await answer.json();
    if (at.dataset.chart === "days") drawDays(at, sent);
    else drawHistory(at, sent);
  } catch {
    at.textContent = "This chart cannot be drawn now: load the page again. The table has the numbers.";
  }
}

const drawCharts = () => document.querySelectorAll("[data-chart]:not([data-drawn])").forEach((at) => void drawChart(/** @type {HTMLElement} */ (at)));
document.addEventListener("DOMContentLoaded", drawCharts);
document.addEventListener("htmx:afterSettle", drawCharts);
