// The page of one run of a task: live while it runs, complete afterwards, its shards together or one of them.

import * as airflow from "./airflow.js";
import { announce, h, show } from "./dom.js";
import * as f from "./format.js";
import { airflowLink, logIn, pageLink, runQuery } from "./frame.js";
import * as panels from "./panels.js";
import { badge, notice, refusal } from "./parts.js";
import { read, speed, together } from "./record.js";
import { FINISHED, overall, settled } from "./states.js";
import { inTurns, soon } from "./turns.js";

const EVERY_MS = 3000;
const SLOWLY_MS = 15_000;
const SILENT_MS = 60_000;
const AT_ONCE = 4;
/** Airflow's own state of a task that reports is asked for with every so many polls. */
const WHOLE_POLLS = 5;

const query = new URLSearchParams(location.search);
// What a tab's route lacks stays in the address as it was written: {MAP_INDEX}.
const asked = (name) => (query.get(name)?.startsWith("{") ? null : query.get(name)) || null;
const run = { dag_id: asked("dag_id"), run_id: asked("run_id"), task_id: asked("task_id") };
const mapIndex = /^\d+$/.test(asked("map_index") ?? "") ? Number(asked("map_index")) : -1;

let polls = 0;
const state = {
  instances: [], records: new Map(), pushed: new Map(), unread: 0, tries: [], codes: {}, error: null, isLoaded: false,
};

/** Ask for what may have changed; of one that runs, its record says nearly all. */
async function load() {
  polls += 1;
  const [only, ...others] = state.instances;
  const isReporting = only?.state === "running" && state.records.get(only.map_index)?.state === "running";
  if (isReporting && !others.length && polls % WHOLE_POLLS && !state.error) {
    await loadOne(only);
    return;
  }
  const isOne = mapIndex >= 0 || (state.instances.length === 1 && state.instances[0].map_index < 0);
  state.instances = isOne ? [await airflow.instance(run, mapIndex)] : await airflow.instances(run);
  if (state.instances.length === 1 && state.instances[0].map_index < 0) await loadOne(state.instances[0]);
  else if (mapIndex >= 0) await loadOne(state.instances[0]);
  else await loadMany();
  if (state.instances.length === 1 && state.instances[0].try_number !== state.tries.at(-1)?.try_number) {
    state.tries = await airflow.tries(run, state.instances[0].map_index);
  }
  const [newest] = state.instances;
  if (newest?.state && newest.try_number === state.tries.at(-1)?.try_number) state.tries[state.tries.length - 1] = newest;
}

async function loadOne(instance) {
  if (!instance.start_date && !state.records.size) return;
  state.records.set(instance.map_index, read(await latest(instance)));
}

async function latest(instance) {
  const entry = await airflow.record(run, instance.map_index);
  return entry ?? (instance.try_number > 1 ? airflow.earlierRecord(run, instance.map_index) : null);
}

async function loadMany() {
  const pushed = await airflow.pushed(run);
  const changed = [...pushed].filter(([index, at]) => state.pushed.get(index) !== at).map(([index]) => index);
  state.unread = changed.filter((index) => !state.pushed.has(index)).length;
  await airflow.each(changed, AT_ONCE, async (index) => {
    state.records.set(index, read(await airflow.record(run, index)));
    if (!state.pushed.has(index)) state.unread -= 1;
    state.pushed.set(index, pushed.get(index));
    if (state.unread) renderSoon();
  });
  const without = state.instances.filter((each) => each.state === "up_for_retry" && !state.records.has(each.map_index));
  await airflow.each(without, AT_ONCE, async (instance) => {
    state.records.set(instance.map_index, read(await airflow.earlierRecord(run, instance.map_index)));
  });
}

/** The records that are of the newest try, and the task instances without one. */
function found() {
  return state.instances.map((instance) => {
    const record = state.records.get(instance.map_index) ?? null;
    const isOld = record?.try_number && instance.try_number && record.try_number < instance.try_number;
    const isRead = record && !record.isElsewhere;
    return { instance, record: isRead ? settled(record, instance.state, isOld) : record, isOld };
  });
}

function head(record) {
  const dag = `/dags/${encodeURIComponent(run.dag_id)}`;
  const runPath = `${dag}/runs/${encodeURIComponent(run.run_id)}`;
  const taskPath = `${runPath}/tasks/${encodeURIComponent(run.task_id)}`;
  const one = mapIndex >= 0 ? `/mapped/${mapIndex}` : state.instances.length > 1 ? "/mapped" : "";
  const title = record?.shard && mapIndex >= 0 ? `${run.task_id}, shard ${record.shard}`
    : mapIndex >= 0 ? `${run.task_id} [${mapIndex}]` : run.task_id;
  const number = state.instances.length === 1 ? state.instances[0].try_number : 0;
  return h("div", { class: "head" }, [
    h("nav", { class: "crumbs", "aria-label": "Where this is" }, h("ol", {}, [
      h("li", {}, pageLink("index.html", "", "Permit OCR")),
      h("li", {}, airflowLink(dag, run.dag_id)),
      h("li", {}, airflowLink(runPath, run.run_id)),
      mapIndex >= 0 && h("li", {}, pageLink("run.html", runQuery(run), "All shards")),
    ])),
    h("div", { class: "title" }, [
      h("h1", {}, title), badge(overall(state.instances)), number > 1 && h("span", { class: "muted" }, `Try ${number}`),
      h("span", { class: "updated", id: "updated" }, updated(record)),
      airflowLink(taskPath + one, "Task instance and logs"),
    ]),
  ]);
}

function updated(record) {
  if (!record?.pushed_at) return null;
  const isLive = record.state === "running";
  const words = isLive ? `updated ${f.ago(record.pushed_at, airflow.now())}`
    : `ended ${f.moment(record.pushed_at, airflow.now())}`;
  return h("span", { title: f.full_time(record.pushed_at) }, [isLive && h("i", { class: "live", "aria-hidden": "true" }), words]);
}

function notices(all, record, records) {
  const says = [];
  if (state.error) says.push(refusal(state.error, run.dag_id));
  if (all.some((each) => each.record?.isElsewhere)) says.push(backendNotice());
  if (record?.isNewer) {
    says.push(notice("info", "This run used a newer version of the provider than this page.",
      "Some numbers may be missing: update the provider where the API server runs."));
  }
  const old = all.filter((each) => each.record && each.isOld);
  const isTriedAgain = old.some((each) => each.instance.state !== "up_for_retry");
  if (old.length) {
    says.push(notice("info", isTriedAgain ? "A new try has not reported yet." : "The next try has not started.",
      "The numbers below are of the try before."));
  }
  if (record) says.push(partNotice(all));
  const silence = record ? airflow.now() - Date.parse(record.pushed_at) : 0;
  if (record?.state === "running" && silence > SILENT_MS) {
    // A screen reader says it again when it changes, so not every second.
    const minutes = Math.floor(silence / 60_000);
    says.push(notice("warning", `No news for ${minutes < 60 ? `${minutes} min` : f.duration(60 * minutes)}.`,
      "The worker is busy, cut off from Airflow's API, or gone. The task's log says more."));
  } else if (record && isWaiting(record, records)) {
    says.push(notice("info", "The run is waiting: it has made no call for 20 seconds.",
      "The service or the ledger does not answer, or calls of a try that died still hold the last images."
      + " The task's log says which."));
  }
  if (record?.caps.reached) says.push(capNotice(record));
  if (record?.state === "failed" && record.caps.reached === null && !isTriedAgain) says.push(failureNotice(record));
  return says;
}

const isWaiting = (record, records) => record.state === "running" && record.phase === "recognizing"
  && record.calls > 0 && record.in_flight === 0 && record.done < record.total && speed(record, records).calls === 0;

/** Numbers of some shards must not be taken for those of all. */
function partNotice(all) {
  const has = all.filter((each) => each.record).length;
  if (has === all.length) return null;
  const of = `${f.count(has)} of ${f.plural(all.length, "shard")}`;
  return state.unread ? notice("info", `Reading: ${of} so far.`, "The numbers below are of these.")
    : notice("info", `${of} reported numbers, and those below are of these.`,
      "The others have not started, or ended before their first call.");
}

const backendNotice = () => notice("warning", "The progress of this task is in a custom XCom backend.", [
  "Airflow's API shows its place instead of its value. Keep values below ",
  h("code", {}, "[common.io] xcom_objectstorage_threshold"), " in Airflow's database: one of this page has a few kilobytes.",
]);

function capNotice(record) {
  const { reached, day, run: most } = record.caps;
  const resets = reached === "day" ? Date.parse(record.sums?.resets_at ?? "") : NaN;
  const title = reached !== "day" ? `This run's cap of ${f.count(most)} calls is reached.`
    : resets <= airflow.now() ? `The cap of ${f.count(day)} calls a day was reached on ${record.sums.day}.`
      : `Today's cap of ${f.count(day)} calls is reached.`;
  const left = `${f.plural(Math.max(0, record.total - record.done), "image")} left for a later run.`;
  const reset = resets > airflow.now() ? ` More calls are allowed from ${f.full_time(record.sums.resets_at)}.` : "";
  return notice("warning", title, left + reset);
}

function failureNotice(record) {
  const code = record.why_code;
  const about = code && panels.known(code, state.codes);
  return notice("error", record.why ? `The run ended with ${record.why}.` : "The run failed.", [
    code && [h("code", {}, code), about?.reason ? `: ${about.reason}. ` : ". "],
    about?.advice && h("p", {}, [h("b", {}, "What to do: "), panels.sentence(about.advice)]),
    "Every answer so far is in the ledger and is not paid for again. The task's log has the message.",
  ]);
}

function nothing(all) {
  const task = all[0]?.instance;
  if (state.error) return null;
  if (!task) return notice("info", "This run has no such task.", "The DAG may have changed since.");
  if (all.some((each) => each.record?.isElsewhere)) return null;
  const words = ["running", "restarting", "deferred"].includes(task.state) ? "The run is starting; its first numbers come within seconds."
    : FINISHED.has(task.state)
      ? "This task recorded no progress: it ended before its first call, only planned or rebuilt, or ran with a version before 0.5."
      : task.state === "up_for_retry" ? "The task waits for its next try. The try before left no numbers; its log says more."
        : "The task has not started.";
  return notice("info", "No numbers yet.", words);
}

function render() {
  const all = found();
  const records = all.map((each) => each.record).filter((each) => each && !each.isElsewhere);
  const record = records.length ? together(records) : null;
  document.title = `${run.task_id} – Permit OCR`;
  const width = Math.max(260, Math.min(1400, (document.querySelector("main")?.clientWidth ?? 800) - 58));
  show(
    head(record),
    notices(all, record, records),
    record ? [
      panels.headline(record, records),
      h("div", { class: "cards" }, [
        panels.progress(record),
        panels.throughput(record, records, width),
        panels.outcomes(record),
        panels.errors(record, state.codes, run),
        panels.money(record, airflow.now()),
        h("div", { class: "stack" }, [panels.setup(record), panels.delivery(record), panels.quality(record)]),
        panels.tries(record, state.tries),
        state.instances.length > 1 && panels.shards(run, all),
      ]),
    ] : nothing(all),
  );
  return record;
}

let wasDone = true; // nothing to announce of a run that had ended before
const renderSoon = soon(render, 500);

async function refresh(again) {
  try {
    await load();
    state.error = null;
  } catch (error) {
    state.error = error.kind ? error : Object.assign(error, { kind: "failed" });
    if (error.kind === "login" && !state.isLoaded && logIn()) return;
    if (!error.kind || error.kind === "failed") console.debug(error);
  }
  state.isLoaded = true;
  const isDone = state.instances.length > 0 && state.instances.every((each) => FINISHED.has(each.state));
  if (state.error?.kind !== "login" && state.error?.kind !== "forbidden") {
    again(isDone || state.error ? SLOWLY_MS : EVERY_MS);
  }
  const record = render();
  if (isDone && !wasDone && record) announce(`The run has ended: ${f.count(record.done)} of ${f.count(record.total)} images done`);
  wasDone = isDone;
}

document.addEventListener("click", (event) => {
  if (event.target.closest?.("[data-login]")) logIn({ isAsked: true });
});
let lastWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth !== lastWidth && state.isLoaded) render();
  lastWidth = innerWidth;
});

if (run.dag_id && run.run_id && run.task_id) {
  airflow.codes().then((codes) => { state.codes = codes; if (state.isLoaded) render(); });
  inTurns(refresh)();
} else {
  show(h("h1", {}, "Permit OCR"), notice("warning", "This address names no run.",
    pageLink("index.html", "", "See all runs")));
}
