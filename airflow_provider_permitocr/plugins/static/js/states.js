// Airflow's states of task instances: which are over, and what they make together.

export const FINISHED = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);
/** A worker has it, or will have it again in the same try. */
export const UNDER_WAY = new Set(["running", "restarting", "deferred", "queued", "scheduled", "up_for_reschedule"]);

// States of unfinished shards come first: while one waits, the run has neither succeeded nor failed.
const ORDER = ["running", "restarting", "deferred", "up_for_retry", "up_for_reschedule", "queued", "scheduled", "none",
  "failed", "upstream_failed", "success", "skipped", "removed"];

/** Return the state of a task, of those of its instances; null without any. */
export function overall(instances) {
  const states = instances.map((each) => each.state ?? "none");
  return ORDER.find((each) => states.includes(each)) ?? states[0] ?? null;
}

/** A task that was killed leaves a record that says it runs: Airflow knows better. */
export function settled(record, state, isOld = false) {
  if (record.state !== "running" || (UNDER_WAY.has(state) && !isOld)) return record;
  return { ...record, state: state === "success" ? "done" : "failed" };
}
