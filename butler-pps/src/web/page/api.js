// Talking to the service: the routes that are in openapi.json.

/** What the service answers to a question. */
export const ask = (path) => send(path);

/** A command in one short line, as the service wants it confirmed. */
export function summary({ action, task, ids, instrument, visit, dataset_type, webhook }) {
  const what = action.replace("_", " ");
  if (action === "resend") return `${what} ${webhook ?? "all"}`;
  if (ids) return `${what} ${ids.length === 0 ? "all" : ids.length === 1 ? ids[0] : `${ids.length} datasets`}`;
  return `${what} ${task ?? dataset_type ?? `${instrument} ${visit}`}`;
}

/** Gives a command that somebody has confirmed. Returns the note in the audit log. */
export const order = (command) => send("commands", {
  method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify({ command, confirm: summary(command) }),
});

async function send(path, options) {
  const answer = await fetch(`api/${path}`, options).catch(() => {
    throw new Error("The service does not answer. Is it still running?");
  });
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => ({}));
  const detail = said.detail ?? `The service answered with status ${answer.status}.`;
  throw new Error(answer.status === 401 ? `You are not logged in. (${detail})` : detail);
}
