// A run's record, as engine/progress/record.py writes it; one of another version may lack any field.

import { dayIn, money, sum, times } from "./format.js";

/** Any task may push under this key, so more than any record holds is not read. */
const MOST_ENTRIES = 500;
/** Larger numbers are not exact. */
const MOST = 2 ** 53;
/** Thirty years: a browser knows no date of a moment far beyond. */
const MOST_SECONDS = 1e9;

const number = (value, otherwise = 0) => (typeof value === "number" && Math.abs(value) <= MOST ? value : otherwise);
const text = (value) => (typeof value === "string" ? value : null);
const object = (value) => (value && typeof value === "object" && !Array.isArray(value) ? value : {});
const list = (value) => (Array.isArray(value) ? value.slice(0, MOST_ENTRIES) : []);
const counts = (value) => Object.fromEntries(
  Object.entries(object(value)).slice(0, MOST_ENTRIES).map(([name, each]) => [name, number(each)]));

const amounts = (value) => Object.fromEntries(Object.entries(object(value)).slice(0, MOST_ENTRIES));

/** The newest form that this page can read. */
export const FORM = 1;

/** Read an entry of Airflow's API; `isElsewhere`: an XCom backend keeps it where that API does not look. */
export function read(entry) {
  const value = entry?.value;
  if (value === null || value === undefined) return null;
  if (typeof value !== "object" || Array.isArray(value)) return { isElsewhere: true };
  const caps = object(value.caps);
  return {
    isNewer: number(value.form, 1) > FORM,
    state: text(value.state) ?? "running",
    why: text(value.why),
    why_code: text(value.why_code),
    phase: text(value.phase) ?? "recognizing",
    started_at: text(value.started_at),
    at: text(value.at),
    // By the server's clock, as the page's own time is: that of a worker may differ.
    pushed_at: Number.isFinite(Date.parse(entry.timestamp ?? "")) ? entry.timestamp : text(value.at),
    try_number: number(value.try_number, null),
    shard: text(value.shard),
    pool: text(value.pool),
    pool_slots: number(value.pool_slots, null),
    total: number(value.total),
    done: number(value.done),
    skipped: number(value.skipped),
    elsewhere: number(value.elsewhere),
    taken_up: number(value.taken_up),
    reused: number(value.reused),
    statuses: counts(value.statuses),
    error_codes: counts(value.error_codes),
    flags: counts(value.flags),
    calls: number(value.calls),
    billed: number(value.billed),
    throttled: number(value.throttled),
    in_flight: number(value.in_flight),
    max_in_flight: number(value.max_in_flight),
    quota: number(value.quota),
    pace: number(value.pace),
    price: text(value.price),
    currency: text(value.currency),
    caps: { run: number(caps.run, null), day: number(caps.day, null), reached: text(caps.reached) },
    targets: list(value.targets).map((each) => readTarget(object(each))),
    files: list(value.files).map(text).filter(Boolean),
    sums: value.sums ? readSums(object(value.sums)) : null,
    points: readPoints(object(value.points)),
    earlier: earlierTries(list(object(value.sums).tries).map(object), number(value.try_number)),
    shards: 1,
  };
}

const readTarget = (target) => ({
  name: text(target.name) ?? text(target.table) ?? "result table",
  table: text(target.table),
  delivered: number(target.delivered),
  refused: number(target.refused),
  on_hold: target.on_hold === true,
});

const readSums = (sums) => ({
  at: text(sums.at),
  day: text(sums.day) ?? "",
  timezone: text(sums.timezone) ?? "UTC",
  resets_at: text(sums.resets_at),
  calls_today: number(sums.calls_today),
  calls_of_run: number(sums.calls_of_run),
  billed_today: number(sums.billed_today),
  billed_month: number(sums.billed_month),
  cost_today: amounts(sums.cost_today),
  cost_month: amounts(sums.cost_month),
  left_over: number(sums.left_over, null),
  waiting_for_review: number(sums.waiting_for_review, null),
  tries: list(sums.tries).map(object),
});

/** What this run called for and paid in tries before this one. */
const earlierTries = (tries, own) => ({
  calls: added(tries.filter((each) => number(each.number) < own), "calls"),
  billed: added(tries.filter((each) => number(each.number) < own), "billed"),
});

function readPoints(points) {
  const columns = ["seconds", "done", "calls", "throttled", "in_flight"].map((name) => list(points[name]));
  return columns[0].map((seconds, row) => {
    const [, done, calls, throttled, in_flight] = columns.map((column) => number(column[row]));
    return { seconds: Math.max(0, Math.min(number(seconds), MOST_SECONDS)), done, calls, throttled, in_flight };
  });
}

const added = (records, name) => records.reduce((all, each) => all + number(each[name]), 0);

function addedCounts(records, name) {
  const all = {};
  for (const each of records) {
    for (const [key, value] of Object.entries(each[name])) all[key] = (all[key] ?? 0) + value;
  }
  return all;
}

/** Put the shards of a run together. */
export function together(records) {
  if (records.length === 1) return records[0];
  const newest = records.reduce((one, other) => ((one.pushed_at ?? "") >= (other.pushed_at ?? "") ? one : other));
  const running = records.filter((each) => each.state === "running");
  const under_way = running.length ? running : records;
  const failed = records.find((each) => each.state === "failed");
  const started = records.map((each) => each.started_at).filter(Boolean).sort();
  const targets = new Map();
  for (const target of records.flatMap((each) => each.targets)) {
    const known = targets.get(target.name) ?? { ...target, delivered: 0, refused: 0, on_hold: false };
    known.delivered += target.delivered;
    // Each shard counts all rows that the table refuses.
    known.refused = Math.max(known.refused, target.refused);
    known.on_hold ||= target.on_hold;
    targets.set(target.name, known);
  }
  const totals = ["total", "done", "skipped", "elsewhere", "taken_up", "reused", "calls", "billed", "throttled"];
  return {
    ...newest,
    ...Object.fromEntries(totals.map((name) => [name, added(records, name)])),
    state: running.length ? "running" : failed ? "failed" : "done",
    phase: running[0]?.phase ?? newest.phase,
    why: failed?.why ?? null,
    why_code: failed?.why_code ?? null,
    started_at: started[0] ?? null,
    shard: null,
    in_flight: added(running, "in_flight"),
    max_in_flight: added(under_way, "max_in_flight"),
    quota: added(under_way, "quota"),
    pace: added(under_way, "pace"),
    caps: { ...newest.caps, reached: records.find((each) => each.caps.reached)?.caps.reached ?? null },
    statuses: addedCounts(records, "statuses"),
    error_codes: addedCounts(records, "error_codes"),
    flags: addedCounts(records, "flags"),
    targets: [...targets.values()],
    earlier: {
      calls: added(records.map((each) => each.earlier), "calls"),
      billed: added(records.map((each) => each.earlier), "billed"),
    },
    files: [...new Set(records.flatMap((each) => each.files))],
    sums: newestSums(records),
    points: [],
    shards: records.length,
  };
}

/** Return the sums that were read last, of runs that share a ledger. */
export function newestSums(records) {
  const all = records.map((each) => each.sums).filter(Boolean);
  return all.sort((one, other) => (one.at < other.at ? 1 : -1))[0] ?? null;
}

const STEPS = 100;

/** Return how a run went: rates between moments, of all its shards together, by the time of day. */
export function course(records) {
  const lines = records.map(lineOf).filter((line) => line.points.length > 1);
  if (!lines.length) return [];
  if (lines.length === 1) return ratesOf(lines[0]);
  const from = Math.min(...lines.map((line) => line.points[0].at));
  const to = Math.max(...lines.map((line) => line.points.at(-1).at));
  const step = Math.max(2000, (to - from) / STEPS);
  const course = [];
  for (let at = from + step; at < to + step / 2; at += step) {
    const parts = lines.filter((line) => line.points[0].at < at && line.points.at(-1).at > at - step);
    const total = (name, moment) => parts.reduce((all, line) => all + valueAt(line.points, name, moment), 0);
    const per = (name) => Math.max(0, ((total(name, at) - total(name, at - step)) * 1000) / step);
    course.push({
      at: Math.min(at, to),
      calls: per("calls"),
      throttled: per("throttled"),
      done: per("done"),
      in_flight: total("in_flight", at),
      quota: parts.reduce((all, line) => all + line.quota, 0),
    });
  }
  return course;
}

function lineOf(record) {
  const began = Date.parse(record.started_at ?? "") || 0;
  const points = record.points.map((point) => ({ ...point, at: began + 1000 * point.seconds }));
  return { quota: record.quota, points };
}

function ratesOf({ quota, points }) {
  const course = [];
  let last = points[0];
  for (const point of points.slice(1)) {
    const seconds = (point.at - last.at) / 1000;
    if (seconds < 0.5) continue;
    const per = (name) => Math.max(0, (point[name] - last[name]) / seconds);
    const { at, in_flight } = point;
    course.push({ at, calls: per("calls"), throttled: per("throttled"), done: per("done"), in_flight, quota });
    last = point;
  }
  return course;
}

function valueAt(points, name, at) {
  if (at <= points[0].at) return points[0][name];
  const next = points.findIndex((point) => point.at >= at);
  if (next < 0) return points.at(-1)[name];
  const [before, after] = [points[next - 1], points[next]];
  if (name === "in_flight") return before[name];
  return before[name] + ((after[name] - before[name]) * (at - before.at)) / Math.max(1, after.at - before.at);
}

/** Calls and images per second: lately of a run that runs, else over the whole run. */
export function speed(record, records = [record]) {
  const recent = (each) => {
    const points = each.points;
    const last = points.at(-1);
    const first = points.findLast((point) => last.seconds - point.seconds >= 20) ?? points[0];
    if (!last || last.seconds - first.seconds < 1) return { calls: 0, done: 0 };
    const per = (name) => Math.max(0, (last[name] - first[name]) / (last.seconds - first.seconds));
    return { calls: per("calls"), done: per("done") };
  };
  if (record.state === "running") {
    const all = records.filter((each) => each.state === "running").map(recent);
    return { calls: added(all, "calls"), done: added(all, "done"), isRecent: true };
  }
  const seconds = lasted(record, records);
  const per = (value) => (seconds > 0 ? value / seconds : 0);
  return { calls: per(record.calls), done: per(record.done - record.skipped), isRecent: false };
}

/** How long a run took, or has taken, in seconds. */
export function lasted(record, records = [record]) {
  const ends = records.map((each) => Date.parse(each.at ?? "")).filter(Number.isFinite);
  const starts = records.map((each) => Date.parse(each.started_at ?? "")).filter(Number.isFinite);
  return ends.length && starts.length ? Math.max(0, (Math.max(...ends) - Math.min(...starts)) / 1000) : 0;
}

/** Images without fields; those that came to an end in this run. */
export const ended = (record) => Object.values(record.statuses).reduce((all, each) => all + each, 0);
export const failed = (record) => ended(record) - (record.statuses.recognized ?? 0);

/** What a run's calls were, of all its tries; a record has those of its own. */
export const called = (record) => record.calls + record.earlier.calls;
export const billed = (record) => record.billed + record.earlier.billed;

/** What the run's billed calls cost; null where no price is known. */
export const cost = (record) => (record.price === null ? null : times(record.price, billed(record)));

/** What nothing costs; unknown where no price is known. */
export const nothing = (record) => (record.price === null ? "–" : money("0", record.currency));

/** Add up the costs of a day or a month, of tasks whose day or month is still this one. */
export function spent(allSums, name, now) {
  const all = {};
  for (const sums of allSums) {
    const today = dayIn(sums.timezone, now);
    const isCurrent = name === "cost_today" ? sums.day === today : sums.day.slice(0, 7) === today.slice(0, 7);
    if (!isCurrent) continue;
    for (const [currency, amount] of Object.entries(sums[name])) {
      all[currency] = sum([all[currency] ?? "0", amount]);
    }
  }
  return all;
}
