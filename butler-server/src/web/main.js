// The page as a whole: what is chosen, the query, and what comes back. What the form says is in the
// page's address, too, so that a query can be bookmarked and sent to others.

import { repositories, search, tableUrl } from "./api.js";
import { byId, count, make, plural } from "./dom.js";
import { markRow, prepareTable, showTable } from "./results.js";
import { prepareSky, showSky } from "./sky.js";
import { markCollections, showCollections, showDatasetTypes } from "./tree.js";

/** The fields of the form, by their names in the address. */
const FIELDS = { type: "dataset-type", in: "in", where: "where", order: "order", limit: "limit" };
/** How many datasets the page shows at most. */
const MOST = 10000;
/** Chains that are searched first, if nothing else is said. */
const WELCOME = /(Available|defaults?)$/;

let repository = "";
let running = null;

const names = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
const form = () => Object.fromEntries(Object.entries(FIELDS).map(([key, id]) => [key, byId(id).value]));

/** Says what went wrong with the page as a whole, or nothing. */
function notify(error) {
  const notice = byId("notice");
  notice.hidden = !error;
  notice.textContent = error ? error.message : "";
}

/** Runs something that a person asked for, and says kindly if it failed. */
const kindly = (work) => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    if (error.name !== "AbortError") notify(error);
  }
};

const chooseRepository = kindly(async (name) => {
  notify(null);
  repository = name;
  document.title = `${name} · Butler`;
  const found = await showCollections(name, byId("collection-pattern").value, chooseCollection);
  if (!byId("in").value && found.length > 0) {
    const welcome = found.find((info) => info.type === 3 && WELCOME.test(info.name)) ?? found[0];
    byId("in").value = welcome.name;
  }
  await collectionsChanged();
});

const collectionsChanged = kindly(async () => {
  const chosen = names(byId("in").value);
  markCollections(chosen);
  await showDatasetTypes(repository, chosen, chooseType);
});

function chooseCollection(name) {
  byId("in").value = name;
  collectionsChanged();
}

function chooseType(name) {
  byId("dataset-type").value = name;
  ask();
}

/** Says what is wrong with a field of the form, beside it. */
function complain(id, message) {
  const place = byId(`${id === "dataset-type" ? "type" : id}-error`);
  const [said, ...shown] = message.split("\n");
  place.replaceChildren(said);
  if (shown.length > 0) place.append(make("code", {}, shown.join("\n")));
  byId(id).setAttribute("aria-invalid", String(message !== ""));
}

const complaintFree = () => ["dataset-type", "in", "where", "order"].forEach((id) => complain(id, ""));

/** Shows an error where its cause is. In an expression the cursor goes to the place as well. */
function showFailure(error) {
  const text = error.message;
  const place = /^Invalid query expression at line (\d+), column (\d+)/.exec(text);
  if (place) {
    complain("where", text);
    const [line, column] = [Number(place[1]), Number(place[2])];
    const where = byId("where");
    const before = where.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    const marked = /\^+$/.exec(text)?.[0].length ?? 1;
    where.focus();
    where.setSelectionRange(before + column - 1, before + column - 1 + marked);
  } else if (error.type === "missing_dataset_type") {
    complain("dataset-type", text);
    byId("dataset-type").focus();
  } else if (error.type === "missing_collection") {
    complain("in", text);
    byId("in").focus();
  } else if (byId("order").value && /ORDER BY|[Ii]dentifier|order/.test(text)) {
    complain("order", text);
    byId("order").focus();
  } else {
    complain("where", text);
  }
}

const ask = kindly(async () => {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const asked = form();
  const wanted = Math.max(1, Math.floor(Number(asked.limit)) || 500);
  const limit = Math.min(MOST, wanted);
  notify(null);
  complaintFree();
  if (!asked.type.trim()) return complain("dataset-type", "Which dataset type? The list beside has those of the collections.");
  if (names(asked.in).length === 0) return complain("in", "Which collections? Choose one in the tree, or name it.");
  remember(asked);
  const status = byId("status");
  const request = {
    dataset_type: asked.type.trim(), collections: names(asked.in), where: asked.where,
    // One more tells whether there are more.
    order_by: names(asked.order), limit: limit + 1,
  };
  const found = [];
  const start = performance.now();
  status.textContent = "Searching…";
  byId("stop").hidden = false;
  try {
    for await (const rows of search(repository, request, signal)) {
      for (const row of rows) found.push(row);
      status.textContent = `${plural(Math.min(found.length, limit), "dataset")} so far…`;
    }
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const more = found.length > limit ? ", the first of more" : "";
    const most = more && wanted > MOST ? ` The page shows ${count(MOST)} at most.` : "";
    found.length = Math.min(found.length, limit);
    status.replaceChildren(`${plural(found.length, "dataset")} in ${seconds} s${more}.${most} `, all(asked));
  } catch (error) {
    if (signal.aborted) {
      if (running.signal !== signal) return;
      found.length = Math.min(found.length, limit);
      status.textContent = `Stopped after ${plural(found.length, "dataset")}.`;
    } else if (error.type === "empty_query_result") {
      status.replaceChildren("No datasets match. ", make("span", { class: "hint" }, error.message));
    } else {
      status.textContent = "The query cannot be answered.";
      showFailure(error);
    }
  } finally {
    if (running.signal === signal) byId("stop").hidden = true;
  }
  showTable(found, repository);
  showSky(found, markRow);
});

/** A link to all results, however many. */
const all = (asked) => make("a", { id: "all", href: tableUrl(repository, asked), download: "" }, "Download all as CSV");

function remember(asked) {
  const address = new URLSearchParams({ repo: repository });
  for (const [key, value] of Object.entries(asked)) if (value) address.set(key, value);
  history.replaceState(null, "", `?${address}`);
}

const start = kindly(async () => {
  prepareTable();
  prepareSky();
  const address = new URLSearchParams(location.search);
  for (const [key, id] of Object.entries(FIELDS)) if (address.has(key)) byId(id).value = address.get(key);
  byId("query").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  byId("stop").addEventListener("click", () => running?.abort());
  byId("in").addEventListener("change", collectionsChanged);
  byId("where").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("query").requestSubmit();
  });
  byId("collection-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    kindly(() => showCollections(repository, byId("collection-pattern").value, chooseCollection))();
  });
  const select = byId("repository");
  select.addEventListener("change", () => { byId("in").value = ""; chooseRepository(select.value); });
  const known = await repositories();
  select.replaceChildren(...known.map((name) => make("option", { value: name }, name)));
  if (known.length === 0) return notify(new Error("There is no repository that you may use."));
  const wanted = address.get("repo");
  select.value = known.includes(wanted) ? wanted : known[0];
  await chooseRepository(select.value);
  if (address.get("type")) await ask();
});

start();
