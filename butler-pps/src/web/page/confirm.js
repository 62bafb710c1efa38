// Commands: nothing is sent before somebody has confirmed it.

import { order, summary } from "./api.js";
import { byId, make } from "./dom.js";

const MEANING = {
  pause: "The task finishes the batches it is at, and does not run until it is resumed.",
  resume: "The task goes on.",
  run: "The task runs now, unless it is paused.",
  retry: "Missing datasets are looked for again, and failed steps are tried again at once.",
  hold_visit: "No dataset of the visit takes any step until it is released.",
  release_visit: "The datasets of the visit go on.",
  hold_type: "No dataset of this type takes any step until it is released.",
  release_type: "The datasets of this type go on.",
  resend: "What was given up is sent to the receiver again.",
  force_expire: "The datasets leave the public repositories and their files are deleted everywhere, whatever policy and holds say. This cannot be undone.",
};

let mayCommand = false;
let done = async () => {};
let waiting = null;

/** Says whether the user may give commands, and what is to happen after one. */
export function prepareCommands(may, afterwards) {
  mayCommand = may;
  done = afterwards;
}

/** A button that gives a command once it is confirmed. The key lets it keep the focus when the page is brought up to date. */
export function commandButton(label, command, key = summary(command)) {
  const dangerous = command.action === "force_expire";
  return make("button", {
    type: "button", "data-key": key, class: dangerous ? "danger" : undefined, disabled: !mayCommand,
    title: mayCommand ? undefined : "You are in none of the groups that may give commands",
    "aria-label": label.length < 12 ? summary(command) : undefined,
    click: () => confirm(command),
  }, label);
}

function confirm(command) {
  waiting = command;
  const dangerous = command.action === "force_expire";
  byId("confirm-summary").textContent = summary(command);
  byId("confirm-text").textContent = MEANING[command.action];
  byId("confirm-error").textContent = "";
  byId("confirm-typed").hidden = !dangerous;
  byId("confirm-word").value = "";
  byId("confirm-yes").classList.toggle("danger", dangerous);
  byId("confirm-yes").disabled = dangerous;
  byId("confirm").showModal();
  byId(dangerous ? "confirm-word" : "confirm-no").focus();
}

async function go() {
  const yes = byId("confirm-yes");
  if (yes.disabled) return;
  yes.disabled = true;
  try {
    await order(waiting);
    byId("confirm").close();
    await done();
  } catch (error) {
    byId("confirm-error").textContent = error.message;
    yes.disabled = false;
  }
}

/** Connects the buttons of the dialog. */
export function prepareDialog() {
  byId("confirm-no").addEventListener("click", () => byId("confirm").close());
  byId("confirm-yes").addEventListener("click", go);
  byId("confirm-word").addEventListener("input", ({ target }) => {
    byId("confirm-yes").disabled = target.value.trim() !== "expire";
  });
  byId("confirm-word").addEventListener("keydown", (event) => {
    if (event.key === "Enter") go();
  });
}
