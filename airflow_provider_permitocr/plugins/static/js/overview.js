// All tasks of this operator and its subclasses, those that ran last first.

import * as airflow from "./airflow.js";
import { h, show } from "./dom.js";
import * as f from "./format.js";
import { airflowLink, logIn, pageLink, runQuery } from "./frame.js";
import { badge, card, notice, refusal, share, stat, stats, table } from "./parts.js";
import { cost, ended, failed, newestSums, nothing, read, speed, spent, together } from "./record.js";

const EVERY_MS = 10_000;
const AT_ONCE = 6;
/** So many records are asked for at once; further runs are read as the user asks for them. */
const BUDGET = 100;
const RUNS_SHOWN = 25;
const FINISHED = new Set(["success", "failed", "skipped", "upstream_failed", "removed"]);

const runs = new Map();
const state = { offset: 0, total: 0, shown: RUNS_SHOWN, error: null, isListed: false };

const keyOf = (entry) => JSON.stringify([entry.dag_id, entry.run_id, entry.task_id]);

/** List which runs there are: one request, without their numbers. */
async function list(offset) {
  const answer = await airflow.entries(offset);
  state.total = answer.total_entries;
  state.offset = Math.max(state.offset, offset + answer.xcom_entries.length);
  for (const entry of answer.xcom_entries) {
    const key = keyOf(entry);
    const run = runs.get(key) ?? { ...entry, shards: new Map(), records: new Map(), state: null };
    run.shards.set(entry.map_index, entry.timestamp);
    runs.set(key, run);
  }
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

/** Read records that are new or were pushed again, those of the newest run of each task first. */
async function fill() {
  const wanted = [...tasks().map(([newest]) => newest), ...newestFirst().slice(0, state.shown)];
  const due = [];
  for (const run of new Set(wanted)) {
    for (const [index, at] of run.shards) {
      if (run.records.get(index)?.pushed !== at) due.push([run, index, at]);
    }
  }
  await airflow.each(due.slice(0, BUDGET), AT_ONCE, async ([run, index, at]) => {
    run.records.set(index, { pushed: at, record: read(await airflow.record(run, index)) });
    renderSoon();
  });
  const unsure = [...new Set(wanted)].filter((run) => recordOf(run)?.state === "running");
  await airflow.each(unsure, AT_ONCE, async (run) => {
    const found = await airflow.instances(run).catch(() => []);
    run.state = found.length && found.every((each) => FINISHED.has(each.state))
      ? (found.some((each) => each.state === "failed") ? "failed" : "success")
      : found.some((each) => each.state === "running") ? null : found[0]?.state ?? null;
  });
}

const read_records = (run) => [...run.records.values()].map((each) => each.record).filter((each) => each && !each.isElsewhere);

function recordOf(run) {
  const records = read_records(run);
  return records.length ? together(records) : null;
}

const stateOf = (run, record) => run.state ?? record?.state ?? "";

const when = (run) => h("span", { title: f.full_time(run.run_after) }, f.moment(run.run_after, airflow.now()));
const runLink = (run, text) => pageLink("run.html", runQuery(run), text);

function taskRow(of) {
  const [newest] = of;
  const record = recordOf(newest);
  const sums = newestSums(of.flatMap(read_records));
  const isElsewhere = [...newest.records.values()].some((each) => each.record?.isElsewhere);
  const link = h("div", { class: "two" }, [runLink(newest, newest.task_id), h("small", {}, airflowLink(`/dags/${encodeURIComponent(newest.dag_id)}`, newest.dag_id))]);
  if (!record) return [link, isElsewhere ? "In an XCom backend" : "…", when(newest), ...Array(7).fill("–")];
  const now = airflow.now();
  return [
    link, badge(stateOf(newest, record)), when(newest),
    h("div", { class: "two end" }, [`${f.count(record.done)} of ${f.count(record.total)}`, share(record.done, record.total, "success")]),
    f.rate(speed(record, read_records(newest)).calls), f.percent(failed(record), ended(record)),
    sums ? f.costs(spent([sums], "cost_today", now), nothing(record)) : "–",
    sums ? f.costs(spent([sums], "cost_month", now), nothing(record)) : "–",
    f.count(sums?.waiting_for_review), f.count(sums?.left_over),
  ];
}

function runRow(run) {
  const record = recordOf(run);
  const name = h("div", { class: "two" }, [
    runLink(run, run.run_id), h("small", {}, `${run.dag_id} · ${run.task_id}${run.shards.size > 1 ? ` · ${run.shards.size} shards` : ""}`),
  ]);
  if (!record) return [name, "…", when(run), ...Array(4).fill("–")];
  const price = cost(record);
  return [
    name, badge(stateOf(run, record)), when(run), `${f.count(record.done)} of ${f.count(record.total)}`,
    f.rate(speed(record, read_records(run)).calls), f.percent(failed(record), ended(record)),
    price === null ? "–" : f.money(price, record.currency),
  ];
}

function figures(all) {
  const now = airflow.now();
  const known = all.map((of) => [of, recordOf(of[0])]);
  const running = known.filter(([of, record]) => record && stateOf(of[0], record) === "running");
  const rate = running.reduce((sum, [of, record]) => sum + speed(record, read_records(of[0])).calls, 0);
  const sums = all.map((of) => newestSums(of.flatMap(read_records))).filter(Boolean);
  const added = (name) => sums.reduce((sum, each) => sum + (each[name] ?? 0), 0);
  const isReviewed = sums.some((each) => each.waiting_for_review !== null);
  return stats("Over all tasks",
    stat("Running now", f.count(running.length), f.plural(all.length, "task") + " in all", running.length ? "running" : null),
    stat("Calls per second", f.rate(rate), "of running tasks"),
    stat("Cost today", f.costs(spent(sums, "cost_today", now), "–"), null),
    stat("Cost this month", f.costs(spent(sums, "cost_month", now), "–"), null),
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
  const more = newest.length > state.shown || state.offset < state.total;
  show(
    h("div", { class: "head" }, h("div", { class: "title" }, h("h1", {}, "Permit OCR"))),
    state.error && refusal(state.error),
    !all.length && state.isListed && !state.error && notice("info", "No run has recorded its progress yet.",
      "Runs appear here as soon as a MainlandPermitOcrOperator, or a subclass of it, starts."),
    all.length > 0 && [
      figures(all),
      h("div", { class: "cards" }, [
        card("Tasks", { id: "tasks", wide: true, aside: "by last run" }, table("Tasks", TASK_COLUMNS, all.map(taskRow))),
        card("Runs", { id: "runs", wide: true, aside: "newest first" }, [
          table("Runs", RUN_COLUMNS, newest.slice(0, state.shown).map(runRow)),
          more && h("p", {}, h("button", { type: "button", class: "button", "data-more": true }, "Show more runs")),
        ]),
      ]),
    ],
  );
}

let isDue = false;
function renderSoon() {
  if (isDue) return;
  isDue = true;
  setTimeout(() => { isDue = false; render(); }, 100);
}

let timer = 0;
async function turn() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    await list(0);
    state.error = null;
    state.isListed = true;
    render();
    await fill();
  } catch (error) {
    state.error = error.kind ? error : Object.assign(error, { kind: "failed" });
    if (error.kind === "login" && !state.isListed && logIn()) return;
    if (state.error.kind === "failed") console.debug(error);
  }
  render();
  if (state.error?.kind === "login" || state.error?.kind === "forbidden") return;
  timer = setTimeout(turn, EVERY_MS);
}

async function more() {
  state.shown += RUNS_SHOWN;
  if (newestFirst().length < state.shown && state.offset < state.total) await list(state.offset).catch(() => {});
  render();
  await fill().catch(() => {});
  render();
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-more]")) more();
  if (event.target.closest?.("[data-login]")) logIn({ isAsked: true });
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
turn();
