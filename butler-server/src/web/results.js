// The table of datasets, a page at a time.

import { downloadUrl } from "./api.js";
import { byId, count, make } from "./dom.js";
import { markRegion } from "./sky.js";

const ROWS = 25;

let datasets = [];
let repository = "";
let page = 0;

/** Shows datasets, the first page of them. */
export function showTable(found, from) {
  datasets = found;
  repository = from;
  byId("table-box").hidden = found.length === 0;
  showPage(0);
}

/** Goes to the row of a dataset and marks it. */
export function markRow(index) {
  showPage(Math.floor(index / ROWS));
  const row = byId("table").tBodies[0].rows[index % ROWS];
  row.classList.add("marked");
  row.scrollIntoView({ block: "nearest" });
  markRegion(index);
}

/** Connects the buttons. */
export function prepareTable() {
  byId("previous").addEventListener("click", () => showPage(page - 1));
  byId("next").addEventListener("click", () => showPage(page + 1));
}

function showPage(wanted) {
  page = wanted;
  const table = byId("table");
  const keys = Object.keys(datasets[0]?.dataId.dataId ?? {});
  const isNumber = (key) => typeof datasets[0].dataId.dataId[key] === "number";
  const align = (key) => (isNumber(key) ? { class: "number" } : {});
  const titles = [["file", {}], ...keys.map((key) => [key, align(key)]), ["run", {}], ["id", {}]];
  table.tHead.replaceChildren(make("tr", {}, ...titles.map(([name, look]) => make("th", { scope: "col", ...look }, name))));
  const start = page * ROWS;
  const shown = datasets.slice(start, start + ROWS);
  table.tBodies[0].replaceChildren(...shown.map((dataset, offset) => row(dataset, start + offset, keys, align)));
  const pages = Math.ceil(datasets.length / ROWS);
  byId("pages").hidden = pages < 2;
  byId("page").textContent = `${count(start + 1)}–${count(start + shown.length)} of ${count(datasets.length)}`;
  byId("previous").disabled = page === 0;
  byId("next").disabled = page >= pages - 1;
}

function row(dataset, index, keys, align) {
  const values = keys.map((key) => make("td", align(key), String(dataset.dataId.dataId[key])));
  const link = make("a", {
    href: downloadUrl(repository, dataset.id), download: "",
    "aria-label": `Download the file of dataset ${dataset.id}`,
  }, "download");
  return make("tr", { "data-id": dataset.id, mouseenter: () => markRegion(index), mouseleave: () => markRegion(-1) },
    make("td", {}, link), ...values, make("td", {}, dataset.run), make("td", {}, dataset.id));
}
