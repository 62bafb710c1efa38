// The charts. Sizes are those of the drawing; colors come from the style sheet.

import { byId, count, draw, make } from "./dom.js";
import { duration, moment, night, short } from "./format.js";

/** The stages in the order of a dataset's life. */
export const STAGES = ["embargoed", "staged", "published", "expired", "deleted", "missing"];

const HOUR = 3_600_000;

/** How many datasets of each night are in each stage. */
export function showAges({ nights, older }) {
  const [width, height, foot, left, top] = [520, 190, 20, 44, 14];
  const sum = (stages) => STAGES.reduce((all, stage) => all + stages[stage], 0);
  const most = nice(Math.max(1, ...nights.map(({ stages }) => sum(stages))));
  const [step, deep] = [(width - left) / nights.length, height - foot - top];
  const columns = nights.map(({ begin, stages }, index) => {
    let y = height - foot;
    const parts = STAGES.filter((stage) => stages[stage] > 0).map((stage) => {
      const high = Math.max(0.5, (deep * stages[stage]) / most);
      y -= high;
      return draw("rect", { x: left + index * step + 1, y: y.toFixed(2), width: step - 2, height: high.toFixed(2), class: stage });
    });
    const told = STAGES.filter((stage) => stages[stage] > 0).map((stage) => `${count(stages[stage])} ${stage}`);
    return draw("g", {}, ...parts, draw("title", {}, `${night(begin)}: ${told.join(", ") || "none"}`));
  });
  const dates = nights.flatMap(({ begin }, index) => ((nights.length - 1 - index) % 11 === 0
    ? [draw("text", { x: left + (index + 0.5) * step, y: height - 4, "text-anchor": index > 0 && index === nights.length - 1 ? "end" : "middle" }, night(begin).slice(5))] : []));
  const chart = byId("ages");
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.replaceChildren(...axis(width, left, top, deep, most), ...columns, ...dates);
  byId("older").textContent = `and ${count(sum(older))} of earlier nights`;
  byId("legend").replaceChildren(...STAGES.map((stage) => make("li", { class: stage }, make("i", {}), stage)));
}

/** Lines for nothing, half and all of the highest number, with what they stand for. */
const axis = (width, left, top, deep, most) => [0, 0.5, 1].flatMap((part) => {
  const y = top + deep * (1 - part);
  return [draw("line", { x1: left, x2: width, y1: y, y2: y }),
    draw("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, short(most * part))];
});

/** The bars of a series of hours, in a drawing of this size; what failed is on top. Long series are drawn in wider bars. */
function bars({ since, hours }, series, width, height, most) {
  const known = new Map(series.map((hour) => [(hour.time - since) / HOUR, hour]));
  const [step, inset] = [width / hours, hours > width / 4 ? 0 : 1];
  return [...known].flatMap(([index, { time, done, failed }]) => {
    const x = (index * step + inset / 2).toFixed(2);
    const thickness = Math.max(0.5, step - inset).toFixed(2);
    const [high, low] = [done, failed].map((number) => (number > 0 ? Math.max(1, (height * number) / most) : 0));
    const title = () => draw("title", {}, `${moment(time)}: ${count(done)} done, ${count(failed)} failed`);
    const good = draw("rect", { x, width: thickness, y: (height - high).toFixed(2), height: high.toFixed(2) }, title());
    const bad = draw("rect", { x, width: thickness, y: (height - high - low).toFixed(2), height: low.toFixed(2), class: "failed" }, title());
    return low > 0 ? [good, bad] : [good];
  });
}

const highest = (series) => Math.max(1, ...series.map(({ done, failed }) => done + failed));

/** The hours of a task, as small as a word. */
export function spark(throughput, name) {
  const { hours } = throughput.tasks.find((task) => task.name === name);
  const lines = bars(throughput, hours, 144, 24, highest(hours));
  return draw("svg", { class: "spark", viewBox: "0 0 144 24", preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines);
}

/** Datasets per hour of a task. */
export function showThroughput(throughput, name) {
  const { hours: series } = throughput.tasks.find((task) => task.name === name);
  const [width, height, foot, left] = [520, 190, 20, 44];
  const [top, most] = [14, nice(highest(series))];
  const deep = height - foot - top;
  const drawn = draw("g", { transform: `translate(${left} ${top})` }, ...bars(throughput, series, width - left, deep, most));
  const { since, hours } = throughput;
  const times = [0, 0.5, 1].map((part) => draw("text", {
    x: left + (width - left) * part, y: height - 4, "text-anchor": ["start", "middle", "end"][part * 2],
  }, part === 1 ? "now" : moment(since + Math.floor(hours * part) * HOUR).slice(5, 16)));
  const chart = byId("throughput");
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.replaceChildren(...axis(width, left, top, deep, most), drawn, ...times);
  const [done, failed] = ["done", "failed"].map((key) => series.reduce((sum, hour) => sum + hour[key], 0));
  byId("throughput-text").textContent =
    `${count(done)} datasets in ${duration(hours * HOUR)}, ${(done / hours / 3600).toFixed(1)} a second; ${count(failed)} failed. Times are UTC.`;
}

/** The next number that is round enough for an axis. */
function nice(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return [2, 4, 6, 8, 10].map((factor) => factor * power).find((round) => round >= number);
}
