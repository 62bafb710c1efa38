// Talking to the server: the routes that are in /api/butler/openapi.json.

const BASE = "/api/butler";
const ALL_TYPES = [1, 2, 3, 4];

/** The names of the types of collections by their numbers. */
export const TYPE_NAMES = { 1: "RUN", 2: "TAGGED", 3: "CHAINED", 4: "CALIBRATION" };

/** What the server says about a request that failed. */
export class ServerError extends Error {
  constructor(message, type) {
    super(message);
    this.type = type;
  }
}

/** The repositories that the user may use. */
export async function repositories() {
  return (await json(`${BASE}/repositories`)).repositories.map((found) => found.name);
}

/** Where the file of a dataset is to be had. */
export const downloadUrl = (repository, id) => `${path(repository)}/v1/dataset/${id}/download`;

/** Collections that match names and patterns. */
export async function collections(repository, expression, options = {}) {
  const request = {
    expression, collection_types: ALL_TYPES, flatten_chains: false, include_chains: true,
    include_parents: false, include_summary: false, include_doc: false, summary_datasets: null,
    ...options,
  };
  return (await post(repository, "v1/query_collection_info", request)).collections;
}

/** The dataset types that are in collections, with their dimensions, sorted by name. */
export async function datasetTypes(repository, names) {
  const found = await collections(repository, names, { flatten_chains: true, include_summary: true });
  const search = [...new Set(found.flatMap((info) => info.dataset_types ?? []))].sort();
  if (search.length === 0) return [];
  return (await post(repository, "v1/query_dataset_types", { search })).dataset_types;
}

/** How many datasets of a type there are in collections, each data ID counted once. */
export async function countDatasets(repository, type, names, signal) {
  const { name, dimensions, storageClass } = type;
  const tree = { dimensions, datasets: { [name]: { collections: names, dimensions } } };
  const spec = {
    result_type: "dataset_ref", dataset_type_name: name, dimensions,
    storage_class_name: storageClass, include_dimension_records: false,
    order_by: [], limit: null, find_first: true, allow_duplicate_overlaps: false,
  };
  const query = { tree, default_data_id: { dataId: {} }, additional_query_inputs: [] };
  const request = { query, result_spec: spec, exact: true, discard: true };
  return (await post(repository, "v1/query/count", request, signal)).count;
}

/** Where all that a search finds is to be had as CSV. */
export const tableUrl = (repository, asked) => {
  const { type, in: collections, where, order } = asked;
  return `${path(repository)}/web/datasets.csv?${new URLSearchParams({ type, in: collections, where, order })}`;
};

/** The datasets that a search finds, a page at a time as they come. */
export async function* search(repository, request, signal) {
  const answer = await send(`${path(repository)}/web/search`, body(request, signal));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const page = JSON.parse(line);
      if (page.type === "error") throw new ServerError(page.error.detail, page.error.error_type);
      if (page.type === "dataset_ref") yield page.rows;
    }
  }
}

const path = (repository) => `${BASE}/repo/${encodeURIComponent(repository)}`;

const body = (request, signal) => ({
  method: "POST", headers: { "content-type": "application/json" },
  body: JSON.stringify(request), signal,
});

const post = (repository, route, request, signal) =>
  json(`${path(repository)}/${route}`, body(request, signal));

const json = async (url, options) => (await send(url, options)).json();

/** Sends a request, again and again for a while if the server is too busy. */
async function send(url, options) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(url, options).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new ServerError("The server does not answer. Is it still running?");
    });
    if (answer.ok) return answer;
    const busy = answer.status === 429 || answer.status === 503;
    const seconds = Number(answer.headers.get("retry-after"));
    if (busy && seconds > 0 && attempt < 5) {
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      continue;
    }
    throw await failure(answer);
  }
}

async function failure(answer) {
  const said = await answer.json().catch(() => ({}));
  const detail = Array.isArray(said.detail)
    ? said.detail.map((one) => `${one.loc.at(-1)}: ${one.msg}`).join("\n")
    : said.detail ?? `The server answered with status ${answer.status}.`;
  if (answer.status === 401) return new ServerError(`You are not logged in. (${detail})`, "login");
  return new ServerError(detail, said.error_type);
}
