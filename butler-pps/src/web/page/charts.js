// The charts. Sizes are those of the drawing; colors come from the style sheet.

import { byId, count, draw, make } from "./dom.js";
import { duration, moment, short } from "./format.js";

/** The stages in the order of a dataset's life. */
export const STAGES = ["embargoed", "staged", "published", "expired", "deleted", "missing"];

const HOUR = 3_600_000;

/** For each class of age, the part of datasets that is in each stage. */
export function showAges({ classes }) {
  const [width, height, foot, head] = [520, 190, 22, 20];
  const step = width / classes.length;
  const parts = classes.flatMap(({ from, to, stages }, index) => {
    const total = STAGES.reduce((sum, stage) => sum + stages[stage], 0);
    const x = index * step + 6;
    const center = { x: (index + 0.5) * step, "text-anchor": "middle" };
    let y = height - foot;
    const bars = STAGES.filter((stage) => stages[stage] > 0).map((stage) => {
      const part = ((height - foot - head) * stages[stage]) / total;
      y -= part;
      const bar = draw("rect", { x, y: y.toFixed(2), width: step - 12, height: part.toFixed(2), class: stage });
      bar.append(draw("title", {}, `${count(stages[stage])} ${stage}`));
      return bar;
    });
    const label = to === null ? `> ${duration(from)}` : `< ${duration(to)}`;
    const baseline = draw("line", { x1: x, x2: x + step - 12, y1: height - foot, y2: height - foot });
    return [baseline, ...bars,
      draw("text", { ...center, y: y - 6, class: "value" }, total > 0 ? short(total) : "–"),
      draw("text", { ...center, y: height - 6 }, label)];
  });
  const chart = byId("ages");
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.replaceChildren(...parts);
  byId("legend").replaceChildren(...STAGES.map((stage) => make("li", { class: stage }, make("i", {}), stage)));
}

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
  const lines = [0, 0.5, 1].flatMap((part) => {
    const y = top + deep * (1 - part);
    return [draw("line", { x1: left, x2: width, y1: y, y2: y }),
      draw("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, short(most * part))];
  });
  const drawn = draw("g", { transform: `translate(${left} ${top})` }, ...bars(throughput, series, width - left, deep, most));
  const { since, hours } = throughput;
  const times = [0, 0.5, 1].map((part) => draw("text", {
    x: left + (width - left) * part, y: height - 4, "text-anchor": ["start", "middle", "end"][part * 2],
  }, part === 1 ? "now" : moment(since + Math.floor(hours * part) * HOUR).slice(5, 16)));
  const chart = byId("throughput");
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.replaceChildren(...lines, drawn, ...times);
  const [done, failed] = ["done", "failed"].map((key) => series.reduce((sum, hour) => sum + hour[key], 0));
  byId("throughput-text").textContent =
    `${count(done)} datasets in ${duration(hours * HOUR)}, ${(done / hours / 3600).toFixed(1)} a second; ${count(failed)} failed. Times are UTC.`;
}

/** The next number that is round enough for an axis. */
function nice(number) {
  const power = 10 ** Math.floor(Math.log10(number));
  return [2, 4, 6, 8, 10].map((factor) => factor * power).find((round) => round >= number);
}
