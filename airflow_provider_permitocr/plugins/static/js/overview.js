// All tasks of this operator and its subclasses, those that ran last first.

import * as airflow from "./airflow.js";
import { h, show } from "./dom.js";
import * as f from "./format.js";
import { airflowLink, logIn, pageLink, runQuery } from "./frame.js";
import { badge, card, notice, refusal, share, stat, stats, table } from "./parts.js";
import { cost, ended, failed, newestSums, nothing, read, speed, spent, together } from "./record.js";
import { FINISHED, overall, settled } from "./states.js";
import { inTurns, soon } from "./turns.js";

const EVERY_MS = 10_000;
const AT_ONCE = 6;
/** So many records are asked for at once; further runs are read as the user asks for them. */
const BUDGET = 100;
const RUNS_SHOWN = 25;
/** Further runs are listed as the user asks for them: a year of an hourly task has 8,760. */
const MOST_LISTED = 1_000;
/** What runs are listed of, in days: as much as holds no more than that. */
const SPANS = [1, 7, 31, 366, Infinity];
const DAY_MS = 86_400_000;

const runs = new Map();
const state = { span: SPANS.indexOf(31), shown: RUNS_SHOWN, error: null, isListed: false };

const keyOf = (entry) => JSON.stringify([entry.dag_id, entry.run_id, entry.task_id]);

const isAll = () => SPANS[state.span] === Infinity;

const since = (days) => (days === Infinity ? null : new Date(airflow.now() - days * DAY_MS));

/** List the runs of so many days, without their numbers; false if there are more than `most`. */
async function list(days, most) {
  // Of a mapped task, one shard stands for the run, or those of a large one would leave no place for others.
  for (const mapIndex of [-1, 0]) {
    for (let offset = 0; ;) {
      const answer = await airflow.entries(mapIndex, since(days), offset);
      if (answer.total_entries > most) return false;
      for (const entry of answer.xcom_entries) note(entry);
      offset += answer.xcom_entries.length;
      if (!answer.xcom_entries.length || offset >= answer.total_entries) break;
      renderSoon();
      // Not in 3.2. What fails here fails again when all are listed.
      const hasNewest = offset === answer.xcom_entries.length && isNewestFirst(answer.xcom_entries);
      if (!state.isListed && hasNewest) await fill().catch(() => {});
    }
  }
  return true;
}

/** Note tasks that wait for their next try; from Airflow 3.4 on, they have no XCom entry. */
async function noteWaiting() {
  for (const run of runs.values()) run.isWaiting = false;
  for (const task of await airflow.waiting()) {
    const entry = { ...task, run_id: task.dag_run_id, timestamp: `try ${task.try_number}` };
    if (!runs.has(keyOf(entry))) note(entry);
    runs.get(keyOf(entry)).isWaiting = true;
  }
}

const isNewestFirst = (entries) => entries.every((each, index) => !index || entries[index - 1].run_after >= each.run_after);

function note(entry) {
  const key = keyOf(entry);
  const run = runs.get(key)
    ?? { ...entry, isMapped: entry.map_index >= 0, shards: new Map(), records: new Map(), state: null, isLarge: false };
  if (!run.isMapped) run.shards.set(entry.map_index, entry.timestamp);
  runs.set(key, run);
}

/** List what has come since; the first time, what is to be shown at all. */
async function listNew() {
  if (state.isListed) {
    await list(Math.min(SPANS[0], SPANS[state.span]), Infinity);
  } else {
    await listFirst();
  }
  await noteWaiting();
  state.isListed = true;
}

/** List as far back as there are not too many; a month first, so that something is shown at once. */
async function listFirst() {
  const isMonth = await list(SPANS[state.span], MOST_LISTED);
  if (isMonth) {
    for (let wider = SPANS.length - 1; wider > state.span; wider -= 1) {
      if (await list(SPANS[wider], MOST_LISTED)) state.span = wider;
    }
    return;
  }
  do state.span -= 1; while (state.span > 0 && !await list(SPANS[state.span], MOST_LISTED));
  if (state.span === 0) await list(SPANS[0], Infinity);
}

const newestFirst = () => [...runs.values()].sort((one, other) => (
  one.run_after === other.run_after ? 0 : (one.run_after ?? "") < (other.run_after ?? "") ? 1 : -1));

function tasks() {
  const found = new Map();
  for (const run of newestFirst()) {
    const key = JSON.stringify([run.dag_id, run.task_id]);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(run);
  }
  return [...found.values()];
}

/** Whether what was read of a run may change. */
const isOpen = (run) => !run.records.size || run.isWaiting
  || (run.state === null ? reportedState(run) === "running" : !FINISHED.has(run.state));

/** Read records that are new or were pushed again, those of the newest run of each task first. */
async function fill() {
  const newest = tasks().map(([first]) => first);
  const wanted = [...new Set([...newest, ...newestFirst().slice(0, state.shown)])];
  await airflow.each(wanted.filter((run) => run.isMapped && isOpen(run)), AT_ONCE, async (run) => {
    const pushed = await airflow.pushed(run, BUDGET);
    run.isLarge = pushed === null;
    run.shards = pushed ?? new Map();
  });
  const due = [];
  for (const run of wanted) {
    const isStill = !run.isMapped && isOpen(run) && run.records.size; // older than what is listed again
    for (const [index, at] of run.shards) {
      if (isStill || run.records.get(index)?.pushed !== at) due.push([run, index, at]);
    }
  }
  let failed = null;
  await airflow.each(due.slice(0, Math.max(BUDGET, newest.length)), AT_ONCE, async ([run, index, at]) => {
    const entry = await airflow.record(run, index) ?? (run.isWaiting ? await airflow.earlierRecord(run, index) : null);
    run.records.set(index, { pushed: at, record: read(entry) });
    run.state = null;
    if (!entry && !run.isMapped && !run.isWaiting) runs.delete(keyOf(run)); // deleted, or to be run again
    renderSoon();
  }).catch((error) => { failed = error; });
  await fillStates(newest, wanted);
  if (failed) throw failed;
}

/** Ask Airflow of runs that may be over, or tried again, what their records cannot know. */
async function fillStates(newest, wanted) {
  const unsure = wanted.filter((run) => {
    if (run.isLarge || run.state !== null) return !FINISHED.has(run.state);
    const said = run.isWaiting ? "running" : reportedState(run);
    // Of a mapped task, shards may be waiting that have no record yet.
    return said === "running" || (said && run.isMapped) || (said === "failed" && newest.includes(run));
  });
  await airflow.each(unsure, AT_ONCE, async (run) => {
    run.state = overall(await airflow.instances(run).catch((error) => {
      if (error.kind === "missing") return [];
      throw error;
    }));
  });
}

const readRecords = (run) => [...run.records.values()].map((each) => each.record)
  .filter((each) => each && !each.isElsewhere)
  .map((each) => (run.state === null ? each : settled(each, run.state)));

/** Whether all that a run has reported was read: a part of its shards must not be taken for all. */
const isWhole = (run) => run.shards.size > 0 && [...run.shards.keys()].every((index) => run.records.has(index));

const reportedState = (run) => {
  const records = readRecords(run);
  return records.length ? together(records).state : null;
};

function recordOf(run) {
  const records = readRecords(run);
  return records.length && isWhole(run) ? together(records) : null;
}

const stateOf = (run, record) => run.state ?? record?.state ?? "";

const when = (run) => h("span", { title: f.full_time(run.run_after) }, f.moment(run.run_after, airflow.now()));
const runLink = (run, text) => pageLink("run.html", runQuery(run), text);

/** What to say of a run whose numbers are not read; those of a large one are on its own page. */
const waiting = (run) => (run.state ? badge(run.state) : "…");

const partsOf = (run) => (run.isLarge ? ` · more than ${BUDGET} shards` : run.isMapped && run.shards.size > 1 ? ` · ${run.shards.size} shards` : "");

function taskRow(of) {
  const [newest] = of;
  const record = recordOf(newest);
  const sums = newestSums(of.flatMap(readRecords));
  const isElsewhere = [...newest.records.values()].some((each) => each.record?.isElsewhere);
  const link = h("div", { class: "two" }, [runLink(newest, newest.task_id), h("small", {}, airflowLink(`/dags/${encodeURIComponent(newest.dag_id)}`, newest.dag_id))]);
  if (!record) return [link, isElsewhere ? "In an XCom backend" : waiting(newest), when(newest), ...Array(7).fill("–")];
  const now = airflow.now();
  return [
    link, badge(stateOf(newest, record)), when(newest),
    h("div", { class: "two end" }, [`${f.count(record.done)} of ${f.count(record.total)}`, share(record.done, record.total, "success")]),
    f.rate(speed(record, readRecords(newest)).calls), f.percent(failed(record), ended(record)),
    sums ? f.costs(spent([sums], "cost_today", now), nothing(record)) : "–",
    sums ? f.costs(spent([sums], "cost_month", now), nothing(record)) : "–",
    f.count(sums?.waiting_for_review), f.count(sums?.left_over),
  ];
}

function runRow(run) {
  const record = recordOf(run);
  const name = h("div", { class: "two" }, [
    runLink(run, run.run_id), h("small", {}, `${run.dag_id} · ${run.task_id}${partsOf(run)}`),
  ]);
  if (!record) return [name, waiting(run), when(run), ...Array(4).fill("–")];
  const price = cost(record);
  return [
    name, badge(stateOf(run, record)), when(run), `${f.count(record.done)} of ${f.count(record.total)}`,
    f.rate(speed(record, readRecords(run)).calls), f.percent(failed(record), ended(record)),
    price === null ? "–" : f.money(price, record.currency),
  ];
}

function figures(all) {
  const now = airflow.now();
  const known = all.map((of) => [of, recordOf(of[0])]);
  const running = known.filter(([of, record]) => stateOf(of[0], record) === "running");
  const rate = running.reduce((sum, [of, record]) => sum + (record ? speed(record, readRecords(of[0])).calls : 0), 0);
  const sums = all.map((of) => newestSums(of.flatMap(readRecords))).filter(Boolean);
  const added = (name) => sums.reduce((sum, each) => sum + (each[name] ?? 0), 0);
  const isReviewed = sums.some((each) => each.waiting_for_review !== null);
  return stats("Over all tasks",
    stat("Running now", f.count(running.length), f.plural(all.length, "task") + " in all", running.length ? "running" : null),
    stat("Calls per second", f.rate(rate), "of running tasks"),
    stat("Cost today", f.costs(spent(sums, "cost_today", now), "–"), isAll() ? null : "of the tasks below"),
    stat("Cost this month", f.costs(spent(sums, "cost_month", now), "–"), isAll() ? null : "of the tasks below"),
    isReviewed ? stat("Waiting for review", f.count(added("waiting_for_review")), "images") : null,
    stat("Left over", f.count(added("left_over")), "images for later runs", added("left_over") ? "retry" : null),
  );
}

const number = (name) => ({ name, kind: "number" });
const TASK_COLUMNS = [{ name: "Task" }, { name: "State" }, { name: "Last run" }, number("Images done"), number("Calls/s"),
  number("Without fields"), number("Cost today"), number("This month"), number("To review"), number("Left over")];
const RUN_COLUMNS = [{ name: "Run" }, { name: "State" }, { name: "When" }, number("Images done"), number("Calls/s"),
  number("Without fields"), number("Cost")];

function render() {
  const all = tasks();
  const newest = newestFirst();
  const more = newest.length > state.shown || !isAll();
  const span = isAll() ? "by last run" : `of the last ${f.plural(SPANS[state.span], "day")}, by last run`;
  show(
    h("div", { class: "head" }, h("div", { class: "title" }, h("h1", {}, "Permit OCR"))),
    state.error && refusal(state.error),
    !all.length && state.isListed && !state.error && notice("info", "No run has recorded its progress yet.",
      "Runs appear here as soon as a MainlandPermitOcrOperator, or a subclass of it, starts."),
    all.length > 0 && [
      figures(all),
      h("div", { class: "cards" }, [
        card("Tasks", { id: "tasks", wide: true, aside: span }, table("Tasks", TASK_COLUMNS, all.map(taskRow))),
        card("Runs", { id: "runs", wide: true, aside: "newest first" }, [
          table("Runs", RUN_COLUMNS, newest.slice(0, state.shown).map(runRow)),
          more && h("p", {}, h("button", { type: "button", class: "button", "data-more": true }, "Show more runs")),
        ]),
      ]),
    ],
  );
}

const renderSoon = soon(render, 100);

async function refresh(again) {
  try {
    await listNew();
    state.error = null;
    render();
    await fill();
  } catch (error) {
    state.error = error.kind ? error : Object.assign(error, { kind: "failed" });
    if (error.kind === "login" && !state.isListed && logIn()) return;
    if (state.error.kind === "failed") console.debug(error);
  }
  if (state.error?.kind !== "login" && state.error?.kind !== "forbidden") again(EVERY_MS);
  render();
}

async function more() {
  state.shown += RUNS_SHOWN;
  try {
    while (runs.size < state.shown && !isAll()) {
      state.span += 1;
      await list(SPANS[state.span], Infinity);
    }
    render();
    await fill();
  } catch (error) {
    state.error = error.kind ? error : Object.assign(error, { kind: "failed" });
  }
  render();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-more]")) more();
  if (event.target.closest?.("[data-login]")) logIn({ isAsked: true });
});
inTurns(refresh)();
