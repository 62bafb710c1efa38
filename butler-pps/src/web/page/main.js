// The page as a whole: brought up to date every ten seconds while somebody looks at it. What is searched for is in the
// page's address, too, so that it can be bookmarked and sent to others.

import { ask } from "./api.js";
import { showAges, showThroughput } from "./charts.js";
import { prepareCommands, prepareDialog } from "./confirm.js";
import { byId, make } from "./dom.js";
import { showFound } from "./history.js";
import { showAudit, showHolds, showProblems, showStages, showTasks, showTypes, showWebhooks } from "./tables.js";

const INTERVAL = 10_000;

let time = 0;
let throughput = null;
let searched = "";

/** Says what went wrong with the page as a whole, or nothing. */
function notify(error) {
  const notice = byId("notice");
  notice.hidden = !error;
  notice.textContent = error ? error.message : "";
}

/** Runs something, and says kindly if it failed. */
const kindly = (work) => async (...given) => {
  try {
    await work(...given);
  } catch (error) {
    notify(error);
  }
};

const drawThroughput = () => showThroughput(throughput, byId("task").value);

const update = kindly(async () => {
  const questions = ["user", "counts", "ages", `throughput?hours=${byId("hours").value}`, "tasks", "problems", "holds", "webhooks", "audit"];
  const [user, counts, ages, hours, tasks, problems, holds, webhooks, audit] = await Promise.all(questions.map(ask));
  notify(null);
  time = tasks.time;
  throughput = hours;
  prepareCommands(user.may_command, update);
  byId("who").textContent = `${user.name}${user.may_command ? "" : ", looking on"}${user.active ? "" : "; another instance is active"}`;
  const choice = byId("task");
  if (choice.options.length === 0) {
    choice.replaceChildren(...tasks.tasks.map(({ name }) => make("option", { value: name }, name)));
    choice.value = "to_google_prod";
  }
  showStages(counts);
  showTypes(counts);
  showAges(ages);
  drawThroughput();
  showTasks(tasks, hours);
  showProblems(problems, time, search);
  showHolds(holds);
  showWebhooks(webhooks);
  showAudit(audit);
  if (searched) await show();
  byId("main").setAttribute("aria-busy", "false");
});

async function show() {
  const key = document.activeElement?.dataset?.key;
  showFound(await ask(`search?q=${encodeURIComponent(searched)}`), searched, time, search);
  if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus();
}

const search = kindly(async (wanted) => {
  searched = wanted.trim();
  byId("q").value = searched;
  const address = searched ? `?q=${encodeURIComponent(searched)}` : location.pathname;
  history.replaceState(null, "", address);
  byId("found").hidden = true;
  if (!searched) return;
  notify(null);
  try {
    await show();
  } catch (error) {
    searched = "";
    throw error;
  }
  byId("found").focus();
});

async function begin() {
  prepareDialog();
  byId("search").addEventListener("submit", (event) => { event.preventDefault(); search(byId("q").value); });
  byId("close-found").addEventListener("click", () => { search(""); byId("q").focus(); });
  byId("task").addEventListener("change", drawThroughput);
  byId("hours").addEventListener("change", update);
  await update();
  const wanted = new URLSearchParams(location.search).get("q");
  if (wanted) await search(wanted);
  setInterval(() => { if (!document.hidden && !byId("confirm").open) update(); }, INTERVAL);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) update(); });
}

begin();
