// The tables. They are made anew when the page is brought up to date; what has the focus keeps it.

import { STAGES, spark } from "./charts.js";
import { commandButton } from "./confirm.js";
import { byId, count, make } from "./dom.js";
import { duration, fate, moment, relative, short } from "./format.js";

const MEANING = {
  embargoed: "in embargo alone", staged: "in prompt_prep, not public", published: "public", expired: "public no more, not deleted",
  deleted: "known to registries only", missing: "not where they should be",
};

/** Replaces what is inside elements, and gives the focus back to what had it. */
export function renew(parts) {
  const key = document.activeElement?.dataset?.key;
  for (const [element, children] of parts) element.replaceChildren(...children);
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

const heads = (...titles) => [make("tr", {}, ...titles.map((title) => (typeof title === "string"
  ? make("th", { scope: "col" }, title) : make("th", { scope: "col", class: "number" }, title[0]))))];

const table = (id, head, rows, nothing) => {
  const found = byId(id);
  const empty = make("tr", {}, make("td", { colspan: 20, class: "hint" }, nothing));
  renew([[found.tHead, head], [found.tBodies[0], rows.length > 0 ? rows : [empty]]]);
};

const number = (value, look = "") =>
  make("td", { class: `number ${value === 0 ? "zero" : look}` }, count(value));

/** The stages, and those that do not get on. */
export function showStages({ total, troubles, time }) {
  const tile = (name, value, meaning) =>
    make("li", { class: name, title: count(value) }, make("b", {}, short(value)), make("span", {}, make("strong", {}, name), meaning));
  const stuck = tile("stuck", troubles.stuck + troubles.unknown, "failing, or unknown to embargo");
  byId("stages").replaceChildren(...STAGES.map((stage) => tile(stage, total[stage], MEANING[stage])), stuck);
  byId("as-of").textContent = `counted at ${moment(time)} UTC`;
}

/** The dataset types. */
export function showTypes({ dataset_types }) {
  const policy = ({ rule, held }) => {
    const tag = held ? [make("span", { class: "tag staged" }, "held back"), " "] : [];
    if (!rule) return [...tag, make("span", { class: "hint" }, "no rule: stays in embargo")];
    return [...tag, make("span", { class: "hint", title: rule.name }, fate(rule))];
  };
  const rows = dataset_types.map((type) => make("tr", {},
    make("td", {}, type.name), make("td", {}, ...policy(type)),
    ...STAGES.map((stage) => number(type.stages[stage], stage === "missing" ? "bad" : "")),
    make("td", { class: "actions" }, commandButton(type.held ? "Release" : "Hold",
      { action: type.held ? "release_type" : "hold_type", dataset_type: type.name }, `hold ${type.name}`))));
  table("types", heads("dataset type", "policy", ...STAGES.map((stage) => [stage]), ""), rows, "No dataset is known yet.");
}

/** The tasks. */
export function showTasks({ tasks, time }, throughput) {
  const rows = tasks.map((task) => {
    const failing = task.error !== null && task.error_time > (task.succeeded ?? 0);
    const state = task.paused ? ["paused", "staged"] : task.running ? ["running", "published"]
      : failing ? ["failing", "missing"] : task.requested !== null ? ["asked for", "published"] : ["waiting", ""];
    const ready = task.ready > 0 ? `${short(task.ready)}${task.ready >= 5000 ? "+" : ""}${task.ready_age > 1000 ? `, for ${duration(task.ready_age)}` : ""}` : "0";
    const error = failing ? [make("span", { class: "bad", title: `${moment(task.error_time)} UTC` }, task.error)]
      : task.error !== null ? [make("span", { class: "hint", title: task.error }, `over since ${relative(task.succeeded, time)}`)] : [];
    const from = task.source ? `${task.source} → ${task.target}` : task.target;
    return make("tr", { "data-task": task.name },
      make("td", {}, task.name, make("br", {}), make("span", { class: "hint" }, from)),
      make("td", {}, make("span", { class: `tag ${state[1]}` }, state[0])),
      make("td", { class: `number ${task.ready === 0 ? "zero" : ""}` }, ready),
      make("td", { title: task.started === null ? "" : `${moment(task.started)} UTC` }, relative(task.started, time) || "never"),
      make("td", {}, task.started === null ? "" : `${count(task.done)} done`, ...(task.failed > 0 ? [make("span", { class: "bad" }, `, ${count(task.failed)} failed`)] : [])),
      make("td", {}, task.paused || task.running ? "" : relative(task.next, time)),
      make("td", {}, spark(throughput, task.name)),
      make("td", { class: "reason" }, ...error),
      make("td", { class: "actions" },
        commandButton("Run now", { action: "run", task: task.name }),
        commandButton(task.paused ? "Resume" : "Pause", { action: task.paused ? "resume" : "pause", task: task.name }, `pause ${task.name}`)));
  });
  table("tasks", heads("task", "state", ["ready"], "last run", "did", "next run", "per hour", "error", ""), rows, "");
}

/** What does not get on. `onPick` is told the dataset that somebody wants to see. */
export function showProblems({ missing, stuck, unknown, files }, time, onPick) {
  const dataset = (id) => make("button", { type: "button", class: "link", "data-key": `show ${id}`, click: () => onPick(id) }, id);
  const row = (kind, look, cells, actions = []) => make("tr", {},
    make("td", {}, make("span", { class: `tag ${look}` }, kind)), ...cells, make("td", { class: "actions" }, ...actions));
  const known = (found, kind, look) => row(kind, look, [
    make("td", {}, dataset(found.id)), make("td", {}, found.dataset_type), make("td", {}, String(found.visit ?? "")),
    make("td", {}, found.problem_step ?? ""), make("td", { class: "reason" }, found.problem ?? ""),
    make("td", {}, kind === "missing" ? "" : relative(found.retry, time)),
  ], [commandButton("Retry", { action: "retry", ids: [found.id] })]);
  const rows = [
    ...missing.map((found) => known(found, "missing", "missing")),
    ...stuck.map((found) => known(found, "stuck", "staged")),
    ...unknown.map((found) => row("unknown", "staged", [
      make("td", {}, dataset(found.id)), make("td", {}), make("td", {}), make("td", {}, "register"),
      make("td", { class: "reason" }, found.error), make("td", {}, `named ${relative(found.first, time)}`)])),
    ...files.map((file) => row("input", "missing", [
      make("td", { colspan: 3 }, file.uri), make("td", {}, "register"),
      make("td", { class: "reason" }, file.error ?? ""), make("td", {}, `read ${relative(file.read, time)}`)])),
  ];
  table("problems", heads("", "dataset", "type", "visit", "step", "reason", "next attempt", ""), rows, "Nothing is stuck or missing.");
  const some = missing.length + stuck.length > 0;
  renew([[byId("retry-all"), some ? [commandButton("Retry all of them", { action: "retry", ids: [] })] : []]]);
}

/** What is held back. */
export function showHolds({ visits, dataset_types }) {
  const item = (text, command) => make("li", {}, text, commandButton("Release", command));
  const items = [
    ...visits.map(({ instrument, visit }) => item(`${instrument} ${visit}`, { action: "release_visit", instrument, visit })),
    ...dataset_types.map((name) => item(name, { action: "release_type", dataset_type: name })),
  ];
  const nothing = make("li", { class: "hint" }, "Nothing. A visit can be held back where a search shows it.");
  renew([[byId("holds"), items.length > 0 ? items : [nothing]]]);
}

/** How far receivers of webhooks are; nothing where there are none. */
export function showWebhooks({ receivers }) {
  byId("webhooks-part").hidden = receivers.length === 0;
  const rows = receivers.map(({ name, pending, delivered, given_up, error }) => make("tr", {},
    make("td", { title: error ?? "" }, name), number(delivered), number(pending), number(given_up, "bad"),
    make("td", { class: "actions" }, ...(given_up > 0 ? [commandButton("Resend", { action: "resend", webhook: name })] : []))));
  table("webhooks", heads("receiver", ["delivered"], ["pending"], ["given up"], ""), rows, "");
}

/** Who has commanded what. */
export function showAudit({ entries }) {
  table("audit", heads("time (UTC)", "who", "command", "outcome"), entries.map((entry) => make("tr", {},
    make("td", {}, moment(entry.time)), make("td", {}, entry.who),
    make("td", { class: "reason" }, `${entry.action} ${entry.subject}`), make("td", { class: "reason" }, entry.outcome))), "No command has been given yet.");
}
