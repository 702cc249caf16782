// @ts-check
// The small charts of the screen System: each element with `data-chart` says what it shows.
"use strict";

/** @typedef {{title: string, unit: string, ended: number[], series: {label: string, values: (number | null)[]}[]}} Chart */

const COLOURS = ["--accent", "--bad", "--muted"];

/** @type {(chart: unknown, moments: number[]) => string[]} */
const times = (_, moments) =>
  moments.map((moment) => new Date(moment * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }));

/** @param {HTMLElement} place */
function draw(place) {
  /** @type {Chart} */
  const chart = JSON.parse(place.dataset.chart ?? "{}");
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const colour = (name) => {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    place.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  };
  const line = colour("--line");
  const text = colour("--muted");
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: `11px ${style.fontFamily}` };
  const options = {
    width: place.clientWidth,
    height: 130,
    legend: { live: false },
    cursor: { show: false },
    scales: { x: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => [Math.min(low, high - 600), high] }, y: { range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) => [Math.min(0, low), high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: times }, { ...axis, size: 52 }],
    series: [
      {},
      ...chart.series.map((series, index) => ({ label: series.label, stroke: colour(COLOURS[index] ?? "--muted"), width: 1.5, points: { show: true, size: 3 } })),
    ],
  };
  place.replaceChildren();
  // @ts-ignore
  new window.uPlot(options, [chart.ended, ...chart.series.map((series) => series.values)], place);
}

const drawAll = () => {
  for (const place of document.querySelectorAll("[data-chart]")) if (place instanceof HTMLElement) draw(place);
};
drawAll();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let width = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== width) drawAll();
  width = innerWidth;
});
