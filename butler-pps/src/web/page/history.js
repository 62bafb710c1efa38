// What a search finds: a dataset with its history, or visits with their datasets.

import { STAGES } from "./charts.js";
import { commandButton } from "./confirm.js";
import { byId, make, plural } from "./dom.js";
import { fate, moment, relative } from "./format.js";

const REPOSITORIES = ["embargo", "prompt_prep", "repo_main", "google_int", "google_prod"];
const LOOK = { PRESENT: "published", MISSING: "missing", DELETED: "deleted", EXPIRED: "expired" };
const MEANING = {
  observed: "the observation ended", register: "became known", to_prompt_prep: "copied, with files", to_main: "linked, with files",
  delete_embargo: "deleted", to_google_int: "published", to_google_prod: "published", expire_google_int: "expired",
  expire_google_prod: "expired", delete_prompt_prep: "files deleted", delete_main: "files deleted",
};

/** Shows what was found. `onPick` is told the dataset that somebody wants to see. */
export function showFound(found, wanted, time, onPick) {
  const parts = found.dataset ? history(found.dataset, time, onPick)
    : found.unknown ? [unknown(found.unknown, time)]
      : found.visits.length > 0 ? found.visits.flatMap((one) => visit(one, onPick))
        : [make("p", {}, `Nothing is known of ${wanted}.`)];
  byId("found-body").replaceChildren(...parts);
  byId("found").hidden = false;
}

const facts = (pairs) => make("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== null).map(([name, value]) =>
  make("div", {}, make("dt", {}, name), make("dd", {}, value))));

function history({ dataset, rule, type_held, events, next, commands }, time, onPick) {
  const { id, instrument, visit: number } = dataset;
  const title = make("h3", { class: "mono" }, dataset.dataset_type, " ", make("span", { class: `tag ${dataset.stage}` }, dataset.stage));
  const held = type_held ? "its type" : dataset.held ? "its visit" : null;
  const toVisit = number === null ? null : make("button", {
    type: "button", class: "link", "data-key": "visit", click: () => onPick(`${instrument} ${number}`),
  }, `${instrument} ${number}`);
  const places = make("ul", { class: "places" }, ...REPOSITORIES.map((name) => {
    const status = dataset.statuses[name];
    return make("li", { class: LOOK[status] ?? "" }, make("b", {}, name), make("span", {}, status));
  }));
  const line = (event, look) => make("li", { class: look },
    make("time", { datetime: new Date(event.time).toISOString() }, `${moment(event.time)} UTC`),
    make("b", {}, event.step),
    make("span", {}, `${event.repository ? `${event.repository}: ` : ""}${look ? "may be " : ""}${MEANING[event.step]} ${look && event.time <= time ? "(ready)" : `(${relative(event.time, time)})`}`));
  const actions = make("div", { class: "choices" },
    ...(dataset.problem ? [commandButton("Retry this dataset", { action: "retry", ids: [id] })] : []),
    ...(dataset.statuses.prompt_prep === "PRESENT" && !dataset.forced ? [commandButton("Force to expire…", { action: "force_expire", ids: [id] })] : []));
  return [
    title,
    facts([
      ["ID", id], ["visit", toVisit], ["made by", dataset.origin], ["rule", rule ? `${rule.name} (${fate(rule)})` : "none: stays in embargo"],
      ["held back with", held], ["forced to expire", dataset.forced ? "yes" : null],
    ]),
    ...(dataset.problem ? [make("p", { class: "error" }, `${dataset.problem_step}: ${dataset.problem}`)] : []),
    places,
    make("ol", { class: "timeline" }, ...events.map((event) => line(event, "")), ...next.map((event) => line(event, "next"))),
    ...(commands.length > 0 ? [make("ul", { class: "plain hint" }, ...commands.map((entry) =>
      make("li", {}, `${moment(entry.time)} UTC, ${entry.who}: ${entry.action} (${entry.outcome})`)))] : []),
    actions,
  ];
}

function unknown(found, time) {
  return make("p", {}, `The embargo repository does not know ${found.id}: ${found.error} (named ${relative(found.first, time)}; it is looked for again).`);
}

function visit({ visit: { instrument, visit: number, end, held }, datasets }, onPick) {
  const rows = datasets.map((dataset) => make("tr", {},
    make("td", {}, make("button", { type: "button", class: "link", "data-key": `found ${dataset.id}`, click: () => onPick(dataset.id) }, dataset.id)),
    make("td", {}, dataset.dataset_type),
    make("td", {}, make("span", { class: `tag ${dataset.stage}` }, dataset.stage)),
    ...REPOSITORIES.map((name) => make("td", { class: "hint" }, dataset.statuses[name]))));
  const titles = ["dataset", "type", "stage", ...REPOSITORIES].map((name) => make("th", { scope: "col" }, name));
  const counted = STAGES.map((stage) => [stage, datasets.filter((dataset) => dataset.stage === stage).length]);
  const parts = counted.filter(([, number]) => number > 0).map(([stage, number]) => `${number} ${stage}`).join(", ");
  return [
    make("div", { class: "head" },
      make("h3", { class: "mono" }, `${instrument} ${number} `, ...(held ? [make("span", { class: "tag staged" }, "held back")] : [])),
      commandButton(held ? "Release this visit" : "Hold this visit back", { action: held ? "release_visit" : "hold_visit", instrument, visit: number }, "hold visit")),
    facts([["ended", end === null ? null : `${moment(end)} UTC`], [plural(datasets.length, "dataset"), parts]]),
    make("div", { class: "scroll-x tall", tabindex: 0, role: "region", "aria-label": "Datasets of the visit" },
      make("table", {}, make("thead", {}, make("tr", {}, ...titles)), make("tbody", {}, ...rows))),
  ];
}
