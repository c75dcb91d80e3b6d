// Plain SVG, coloured by the page's style. The numbers are beside each picture, in a table.

import { h, s } from "./dom.js";

const [LEFT, RIGHT, TOP, BOTTOM] = [44, 12, 10, 24];

/** Round up to 1, 2 or 5 times a power of ten, so that steps of the axis are even. */
function niceStep(most, steps) {
  const rough = Math.max(most, 1e-9) / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
}

/**
 * Draw lines over time.
 *
 * series: [{ name, kind: "area" | "line" | "limit" | "bars", color, values: [number] }], one value for each of `times`.
 */
export function lineChart({ id, label, times, series, height = 200, width, show, clock }) {
  const most = Math.max(...series.flatMap((each) => each.values), 0) || 1;
  const step = niceStep(most * 1.08, 4);
  const top = Math.ceil((most * 1.02) / step) * step;
  const [first, last] = [times[0], times.at(-1)];
  const x = (at) => LEFT + ((at - first) / Math.max(1, last - first)) * (width - LEFT - RIGHT);
  const y = (value) => height - BOTTOM - (value / top) * (height - TOP - BOTTOM);
  const grid = [];
  for (let value = 0; value <= top + step / 2; value += step) {
    grid.push(
      s("line", { class: value ? "grid" : "axis", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, show(value)),
    );
  }
  const ticks = Math.max(2, Math.min(6, Math.floor(width / 130)));
  for (let tick = 0; tick < ticks; tick += 1) {
    const at = first + ((last - first) * tick) / (ticks - 1);
    const anchor = tick === 0 ? "start" : tick === ticks - 1 ? "end" : "middle";
    grid.push(s("text", { class: "tick", x: x(at), y: height - 6, "text-anchor": anchor }, clock(at)));
  }
  const drawn = series.flatMap((each) => shapes(each, times, x, y));
  return h("figure", { class: "chart", id, "data-times": JSON.stringify(times) }, [
    s("svg", { role: "img", "aria-label": label, viewBox: `0 0 ${width} ${height}`, width, height }, [
      grid,
      drawn,
      s("line", { class: "cross", x1: 0, x2: 0, y1: TOP, y2: height - BOTTOM, visibility: "hidden" }),
    ]),
    h("figcaption", { class: "legend" }, series.map((each) => h("span", {}, [
      h("i", { class: `key ${each.kind} ${each.color}` }), each.name,
    ]))),
    h("div", { class: "tip", hidden: true }),
  ]);
}

function shapes({ kind, color, values }, times, x, y) {
  const round = (value) => Math.round(value * 10) / 10;
  const places = values.map((value, index) => `${round(x(times[index]))},${round(y(value))}`);
  if (kind === "bars") {
    const wide = Math.max(1, Math.min(6, (x(times.at(-1)) - x(times[0])) / times.length - 1));
    return values.map((value, index) => value > 0 && s("rect", {
      class: `bar ${color}`, x: round(x(times[index]) - wide / 2), y: round(y(value)),
      width: round(wide), height: round(y(0) - y(value)),
    }));
  }
  const line = s("polyline", { class: `${kind === "limit" ? "limit" : "line"} ${color}`, points: places.join(" ") });
  if (kind !== "area") return [line];
  const floor = round(y(0));
  const area = [`${round(x(times[0]))},${floor}`, ...places, `${round(x(times.at(-1)))},${floor}`];
  return [s("polygon", { class: `area ${color}`, points: area.join(" ") }), line];
}

/** Draw parts of a whole: one bar, a part for each, in order. */
export function partsBar(parts, whole, label) {
  const shown = parts.filter((each) => each.count > 0);
  let from = 0;
  const bars = shown.map((each) => {
    const wide = whole > 0 ? Math.max(0.4, (100 * each.count) / whole) : 0;
    const bar = s("rect", { class: `bar ${each.color}`, x: from, y: 0, width: Math.max(0, wide - 0.15), height: 10 });
    from += wide;
    return bar;
  });
  const box = { viewBox: `0 0 ${Math.max(100, from)} 10`, preserveAspectRatio: "none" };
  return s("svg", { class: "parts", role: "img", "aria-label": label, ...box }, [
    s("rect", { class: "rest", x: 0, y: 0, width: Math.max(100, from), height: 10 }), bars,
  ]);
}

/** Draw a part of a whole as a thin bar for a row of a table. */
export function shareBar(count, whole, color) {
  const bar = partsBar([{ count, color }], whole, "");
  bar.removeAttribute("role");
  bar.removeAttribute("aria-label");
  bar.setAttribute("aria-hidden", "true"); // its number is in the row
  return bar;
}

// The values under the pointer: the same that the table beside the chart has.
document.addEventListener("pointermove", (event) => {
  const chart = event.target.closest?.(".chart");
  for (const other of document.querySelectorAll(".chart")) if (other !== chart) leave(other);
  if (chart) follow(chart, event);
});
document.addEventListener("pointerleave", () => document.querySelectorAll(".chart").forEach(leave), true);

function leave(chart) {
  chart.querySelector(".tip").hidden = true;
  chart.querySelector(".cross").setAttribute("visibility", "hidden");
}

function follow(chart, event) {
  const svg = chart.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const width = Number(svg.getAttribute("width"));
  const times = JSON.parse(chart.dataset.times);
  const place = ((event.clientX - box.left) / box.width) * width;
  const share = (place - LEFT) / (width - LEFT - RIGHT);
  const at = times[0] + share * (times.at(-1) - times[0]);
  if (share < -0.02 || share > 1.02) return leave(chart);
  const index = times.reduce((best, each, here) => (Math.abs(each - at) < Math.abs(times[best] - at) ? here : best), 0);
  const row = document.querySelectorAll(`#${chart.id}-numbers tbody tr`)[index];
  if (!row) return leave(chart);
  const names = [...document.querySelectorAll(`#${chart.id}-numbers thead th`)].map((each) => each.textContent);
  const cells = [...row.children].map((each) => each.textContent);
  const tip = chart.querySelector(".tip");
  tip.replaceChildren(h("b", {}, cells[0]), cells.slice(1).map((cell, number) => h("div", {}, [
    h("span", {}, names[number + 1]), h("span", {}, cell),
  ])));
  tip.hidden = false;
  const here = LEFT + ((times[index] - times[0]) / Math.max(1, times.at(-1) - times[0])) * (width - LEFT - RIGHT);
  const left = (here / width) * box.width;
  tip.style.left = `${left > box.width / 2 ? left - tip.offsetWidth - 10 : left + 10}px`;
  const cross = chart.querySelector(".cross");
  cross.setAttribute("x1", here);
  cross.setAttribute("x2", here);
  cross.setAttribute("visibility", "visible");
}
