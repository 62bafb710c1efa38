// The tree of collections, and the dataset types of the chosen one.

import { TYPE_NAMES, collections, countDatasets, datasetTypes } from "./api.js";
import { byId, count, make, plural } from "./dom.js";

/** How many collections are listed at most; a pattern finds others. */
const MOST = 300;

/** Lists the collections that match a pattern as a tree; those inside a chain are below it. Returns all, roots first. */
export async function showCollections(repository, pattern, onPick) {
  const tree = byId("tree");
  tree.setAttribute("aria-busy", "true");
  try {
    const patterns = pattern.split(",").map((part) => part.trim()).filter(Boolean);
    const expression = patterns.length > 0 ? patterns : ["*"];
    const found = await collections(repository, expression, { include_parents: true });
    const names = new Set(found.map((info) => info.name));
    const isRoot = (info) => ![...(info.parents ?? [])].some((parent) => names.has(parent));
    const roots = found.filter(isRoot).sort(byTypeAndName);
    const known = new Map(found.map((info) => [info.name, info]));
    const shown = roots.slice(0, MOST);
    tree.replaceChildren(
      branch(repository, shown, known, onPick, [], shown.length <= 12),
      ...(roots.length > MOST ? [make("p", { class: "hint" }, `and ${count(roots.length - MOST)} more; filter them above`)] : []),
      ...(roots.length === 0 ? [make("p", { class: "hint" }, "No collection has such a name.")] : []),
    );
    return [...roots, ...found.filter((info) => !isRoot(info))];
  } finally {
    tree.setAttribute("aria-busy", "false");
  }
}

/** Chains first, since they lead to the others. */
function byTypeAndName(a, b) {
  return Number(b.type === 3) - Number(a.type === 3) || a.name.localeCompare(b.name);
}

function branch(repository, infos, known, onPick, above, open) {
  return make("ul", {}, ...infos.map((info) => node(repository, info, known, onPick, above, open)));
}

function node(repository, info, known, onPick, above, open) {
  const pick = make("button", {
    type: "button", class: "pick", "data-collection": info.name, "aria-pressed": "false",
    title: info.doc || false, click: () => onPick(info.name),
  }, info.name);
  const kind = make("span", { class: "kind" }, TYPE_NAMES[info.type] ?? String(info.type));
  if (info.type !== 3 || info.children.length === 0) {
    return make("li", { class: "leaf" }, pick, " ", kind);
  }
  const details = make("details", {}, make("summary", {}, pick, " ", kind));
  const path = [...above, info.name];
  const fill = async () => {
    if (details.childElementCount > 1) return;
    const missing = info.children.filter((name) => !known.has(name));
    if (missing.length > 0) {
      for (const child of await collections(repository, missing)) known.set(child.name, child);
    }
    const children = info.children.map((name) => known.get(name)).filter((child) => child && !path.includes(child.name));
    if (details.childElementCount === 1) details.append(branch(repository, children, known, onPick, path, open));
  };
  details.addEventListener("toggle", () => details.open && fill());
  details.open = open;
  return make("li", {}, details);
}

/** Marks the collections that are being searched. */
export function markCollections(names) {
  for (const button of document.querySelectorAll("#tree .pick")) {
    button.setAttribute("aria-pressed", String(names.includes(button.dataset.collection)));
  }
}

let counting = new AbortController();

/** Lists the dataset types in collections. How many datasets there are is counted when they are seen. */
export async function showDatasetTypes(repository, names, onPick) {
  counting.abort();
  counting = new AbortController();
  const { signal } = counting;
  const types = names.length > 0 ? await datasetTypes(repository, names) : [];
  if (signal.aborted) return types;
  const waiting = [];
  let running = false;
  const run = async () => {
    if (running) return;
    running = true;
    while (waiting.length > 0 && !signal.aborted) {
      const { type, place } = waiting.shift();
      place.textContent = await countDatasets(repository, type, names, signal).then(count, () => "?");
    }
    running = false;
  };
  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      waiting.push({ type: types[Number(target.dataset.index)], place: target.lastElementChild });
    }
    run();
  });
  signal.addEventListener("abort", () => seen.disconnect());
  const items = types.map((type, index) => make("li", { "data-index": index },
    make("button", {
      type: "button", class: "pick", title: `${type.dimensions.join(", ")}: ${type.storageClass}`,
      click: () => onPick(type.name),
    }, type.name),
    make("span", { class: "count", "aria-label": "datasets" }, "…")));
  byId("types").replaceChildren(...items);
  byId("type-names").replaceChildren(...types.map((type) => make("option", { value: type.name })));
  byId("types-where").textContent = names.length > 0
    ? `${plural(types.length, "type")} in ${names.join(", ")}` : "Choose a collection.";
  items.forEach((item) => seen.observe(item));
  return types;
}
