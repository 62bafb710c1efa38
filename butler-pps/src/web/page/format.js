// Numbers and times as people write them. Times are those of the service's clock, in UTC.

import { count } from "./dom.js";

const UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]];

/** "80 h", "3 d 4 h", "12 s". */
export function duration(milliseconds) {
  const rest = Math.max(0, milliseconds);
  const first = UNITS.findIndex(([, length]) => rest >= length);
  if (first < 0) return "0 s";
  const [unit, length] = UNITS[first];
  const whole = Math.floor(rest / length);
  const [smaller, part] = UNITS[first + 1] ?? [];
  const more = smaller && whole < 10 ? Math.floor((rest % length) / part) : 0;
  return more > 0 ? `${whole} ${unit} ${more} ${smaller}` : `${whole} ${unit}`;
}

/** What becomes of datasets, by a rule of the policy: "public after 80 h, for 30 d". */
export function fate(rule) {
  const after = rule.embargo > 0 ? ` after ${count(rule.embargo / 3_600_000)} h` : "";
  const end = rule.retention === null ? "kept" : `for ${duration(rule.retention)}`;
  return `${rule.public ? "public" : "internal"}${after}, ${end}`;
}

/** "2025-12-03 08:05:00". */
export const moment = (time) => new Date(time).toISOString().slice(0, 19).replace("T", " ");

/** The date of a night, which goes from noon to noon UTC, by when it begins: "2025-12-03". */
export const night = (begin) => new Date(begin).toISOString().slice(0, 10);

/** "12 s ago", "in 40 s". */
export function relative(time, now) {
  if (time === null) return "";
  if (Math.abs(now - time) < 1000) return "now";
  return time > now ? `in ${duration(time - now)}` : `${duration(now - time)} ago`;
}

/** "950", "12.3 k", "4.1 M". */
export function short(number) {
  if (number < 10_000) return number.toLocaleString("en");
  const [divisor, unit] = number < 1e6 ? [1e3, "k"] : number < 1e9 ? [1e6, "M"] : [1e9, "G"];
  const value = number / divisor;
  return `${value < 100 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}
