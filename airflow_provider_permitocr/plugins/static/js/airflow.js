// Airflow's public API, asked with the user's own cookie: what the user may not see, the page does not get.

import { base } from "./frame.js";

const KEY = "permitocr_progress";
const LIMIT = 100;
/** An answer that takes longer does not come, as behind a proxy that hangs. */
const PATIENCE_MS = 20_000;

/** An answer that holds no data; `kind` is login, forbidden, missing or failed. */
export class ApiError extends Error {
  constructor(kind, status, path) {
    super(`Airflow answered ${status || "nothing"} to ${path}`);
    this.kind = kind;
    this.status = status;
  }
}

/** How far this browser's clock is behind the server's, in milliseconds. */
let behind = 0;

/** The time by the server's clock. */
export const now = () => Date.now() + behind;

async function get(path) {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  let response;
  try {
    response = await fetch(base + path, { credentials: "same-origin", headers: { Accept: "application/json" }, signal });
  } catch {
    throw new ApiError("failed", 0, path);
  }
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds, so a smaller difference means nothing.
  if (Number.isFinite(date)) behind = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  if (!response.ok) {
    const kind = { 401: "login", 403: "forbidden", 404: "missing" }[response.status] ?? "failed";
    throw new ApiError(kind, response.status, path);
  }
  try {
    return await response.json();
  } catch {
    throw new ApiError("failed", 0, path); // cut off, or a proxy's own page
  }
}

const part = encodeURIComponent;
const runPath = (run) => `/api/v2/dags/${part(run.dag_id)}/dagRuns/${part(run.run_id)}`;
const taskPath = (run) => `${runPath(run)}/taskInstances/${part(run.task_id)}`;

/** Return what error codes mean. */
export const codes = () => get("/permitocr/codes").catch(() => ({}));

/** Return the task instances of a task in a run: one, or one for each shard. */
export async function instances(run) {
  const found = [];
  for (let offset = 0; ;) {
    const query = `task_id=${part(run.task_id)}&limit=${LIMIT}&offset=${offset}&order_by=map_index`;
    const answer = await get(`${runPath(run)}/taskInstances?${query}`);
    // A pattern may find others, and an Airflow that does not know the filter finds all.
    found.push(...answer.task_instances.filter((each) => each.task_id === run.task_id));
    offset += answer.task_instances.length;
    if (!answer.task_instances.length || offset >= answer.total_entries) return found;
  }
}

/** Return one task instance of a mapped task. */
export const instance = (run, mapIndex) => get(mapIndex < 0 ? taskPath(run) : `${taskPath(run)}/${mapIndex}`);

/** Return the tries of a task instance, the oldest first. */
export async function tries(run, mapIndex) {
  const answer = await get(`${taskPath(run)}${mapIndex < 0 ? "" : `/${mapIndex}`}/tries`);
  // One that was cleared is listed twice, as it was and as it will be, until the scheduler takes it up.
  return answer.task_instances.filter((each, index, all) => all[index - 1]?.try_number !== each.try_number);
}

/** Return the entry of one record; null where there is none. */
export async function record(run, mapIndex) {
  const query = mapIndex < 0 ? "" : `?map_index=${mapIndex}`;
  return find(`${taskPath(run)}/xcomEntries/${KEY}${query}`);
}

/** Return the last record of a try that failed: from Airflow 3.4 on, its XCom entry is gone once the next try is due. */
export async function earlierRecord(run, mapIndex) {
  const query = mapIndex < 0 ? "" : `?map_index=${mapIndex}`;
  const stored = await find(`${taskPath(run)}/state-store/${KEY}${query}`);
  return stored && { value: stored.value, timestamp: stored.updated_at };
}

/** Return tasks of this operator that wait for their next try. */
export async function waiting() {
  const query = `operator=MainlandPermitOcrOperator&state=up_for_retry&order_by=-run_after&limit=${LIMIT}`;
  return (await get(`/api/v2/dags/~/dagRuns/~/taskInstances?${query}`)).task_instances;
}

async function find(path) {
  try {
    return await get(path);
  } catch (error) {
    if (error.kind === "missing") return null;
    throw error;
  }
}

/** Return when each record of a run was pushed, by map index; null for more than `most`. */
export async function pushed(run, most = Infinity) {
  const query = `xcom_key=${KEY}&limit=${LIMIT}&order_by=map_index`;
  const found = [];
  for (;;) {
    const answer = await get(`${taskPath(run)}/xcomEntries?${query}&offset=${found.length}`);
    if (answer.total_entries > most) return null;
    found.push(...answer.xcom_entries);
    if (!answer.xcom_entries.length || found.length >= answer.total_entries) break;
  }
  return new Map(found.map((entry) => [entry.map_index, entry.timestamp]));
}

/**
 * Return which records there are, of all DAGs that the user may see, from a moment on.
 *
 * Those of the newest runs come first from Airflow 3.3 on; 3.2 has an order of its own. One map index gives an entry for
 * each run.
 */
export function entries(mapIndex, since, offset) {
  const from = since ? `&run_after_gte=${part(since.toISOString())}` : "";
  const query = `xcom_key=${KEY}&map_index=${mapIndex}${from}&order_by=-run_after&limit=${LIMIT}&offset=${offset}`;
  return get(`/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries?${query}`);
}

/** Do something for each, a few at a time; one that fails keeps no other from being done. */
export async function each(items, most, work) {
  const left = [...items];
  let first = null;
  await Promise.all(Array.from({ length: Math.min(most, left.length) }, async () => {
    while (left.length) {
      try {
        await work(left.shift());
      } catch (error) {
        first ??= error;
        if (error.kind === "login" || error.status === 0) left.length = 0; // the others would fail alike
      }
    }
  }));
  if (first) throw first;
}
