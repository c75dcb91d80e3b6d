// The parts of a run's page, each made from records alone.

import { h } from "./dom.js";
import { lineChart, partsBar } from "./charts.js";
import * as f from "./format.js";
import { card, copyButton, numbers, share, stat, stats, STATUSES, table, badge } from "./parts.js";
import { pageLink, runQuery } from "./frame.js";
import { billed, called, cost, course, ended, failed, lasted, nothing, speed } from "./record.js";

const NUMBER = "number";

/** The figures that matter most. */
export function headline(record, records) {
  const now = speed(record, records);
  const left = Math.max(0, record.total - record.done);
  const seconds = now.done > 0 ? left / now.done : null;
  const price = cost(record);
  const isRunning = record.state === "running";
  const isLong = isRunning && record.phase === "recognizing";
  return stats("Key figures",
    stat("Images done", f.count(record.done), `of ${f.count(record.total)}`),
    stat(isRunning ? "Calls per second" : "Calls per second, mean", f.rate(now.calls), `quota ${rateOf(record.quota)}`),
    stat("Without fields", f.percent(failed(record), ended(record)), f.plural(failed(record), "image"),
      failed(record) ? "failed" : null),
    stat("Cost of this run", price === null ? "–" : f.money(price, record.currency),
      price === null ? "no price is set" : `${f.count(billed(record))} billed${ofTries(record)}`),
    isRunning ? stat("In flight", f.count(record.in_flight), `of ${f.count(record.max_in_flight)} at most`) : null,
    stat("Throttled", f.count(record.throttled), `${f.percent(record.throttled, record.calls)} of calls`,
      record.throttled ? "retry" : null),
    isLong ? stat("Time left", seconds === null ? "–" : f.duration(seconds), "at this rate")
      : stat("Duration", f.duration(lasted(record, records)), null),
  );
}

const ofTries = (record) => (record.earlier.calls ? ", all tries" : "");

const rateOf = (value) => `${value % 1 ? f.rate(value) : f.count(value)}/s`;

/** Done of total, by how images ended. */
export function progress(record) {
  const parts = [
    { name: "Settled before", count: record.skipped, color: "skipped" },
    ...STATUSES.map(([status, name, color]) => ({ name, count: record.statuses[status] ?? 0, color })),
    { name: "Done by another run", count: record.elsewhere, color: "queued" },
  ].filter((each) => each.count > 0);
  const whole = Math.max(record.total, record.done);
  const said = parts.map((each) => `${f.count(each.count)} ${each.name.toLowerCase()}`).join(", ");
  const rest = whole - record.done;
  return card("Progress", { id: "progress", wide: true, aside: `${f.percent(record.done, whole)} done` }, [
    partsBar(parts, whole, `${f.count(record.done)} of ${f.count(whole)} images: ${said || "none yet"}`),
    h("ul", { class: "legend" }, [
      parts.map((each) => h("li", {}, [h("i", { class: `key ${each.color}` }), each.name, h("b", {}, f.count(each.count))])),
      rest > 0 && h("li", {}, [h("i", { class: "key rest" }), "Left", h("b", {}, f.count(rest))]),
    ]),
    record.taken_up > 0 && h("p", { class: "note" }, `${f.plural(record.taken_up, "image")} of earlier runs among them.`),
    record.reused > 0 && h("p", { class: "note" },
      `${f.plural(record.reused, "image")} took the answer of an identical picture, without a call.`),
  ]);
}

/** Calls per second against the quota, and what is in flight, over time. */
export function throughput(record, records, width) {
  const steps = course(records);
  if (steps.length < 2) {
    return card("Throughput", { id: "throughput", wide: true },
      h("p", { class: "muted empty" }, "The chart appears after a few seconds of calls."));
  }
  const times = steps.map((step) => step.at);
  const clock = (at) => f.clock(new Date(at).toISOString());
  const mean = speed({ ...record, state: "done" }, records).calls;
  const top = `Calls per second over time against a quota of ${rateOf(record.quota)}; ${f.rate(mean)} on average`;
  const hasThrottled = steps.some((step) => step.throttled > 0);
  const show = (value) => f.count(value) === String(value) || value >= 10 ? f.count(value) : f.rate(value);
  const column = (name) => steps.map((step) => step[name]);
  return card("Throughput", { id: "throughput", wide: true, aside: "calls per second" }, [
    lineChart({ id: "rate", label: top, times, width, height: 210, show, clock, series: [
      { name: "Calls", kind: "area", color: "brand", values: column("calls") },
      ...(hasThrottled ? [{ name: "Throttled", kind: "bars", color: "retry", values: column("throttled") }] : []),
      { name: "Quota", kind: "limit", color: "queued", values: column("quota") },
    ] }),
    numbers("rate", "Throughput over time", [
      { name: "Time" }, { name: "Calls/s", kind: NUMBER }, { name: "Images/s", kind: NUMBER },
      { name: "Throttled/s", kind: NUMBER }, { name: "Quota/s", kind: NUMBER }, { name: "In flight", kind: NUMBER },
    ], steps.map((step) => [
      clock(step.at), f.rate(step.calls), f.rate(step.done), f.rate(step.throttled), f.rate(step.quota), f.count(step.in_flight),
    ])),
  ]);
}

/** How images ended. */
export function outcomes(record) {
  const all = ended(record);
  const rows = STATUSES.filter(([status]) => record.statuses[status]).map(([status, name, color, meaning]) => [
    h("span", { class: "named" }, [h("i", { class: `key ${color}` }), name]),
    f.count(record.statuses[status]), f.percent(record.statuses[status], all),
    share(record.statuses[status], all, color), meaning,
  ]);
  const columns = [{ name: "Status" }, { name: "Images", kind: NUMBER }, { name: "Share", kind: NUMBER },
    { name: "", kind: "bar" }, { name: "Meaning", kind: "muted long" }];
  return card("Outcomes", { id: "outcomes", wide: true },
    table("Outcomes by status", columns, rows, { empty: "No image has come to an end yet." }));
}

/** Find a code as the run does: as a whole, then without its last part. */
export function known(code, codes) {
  if (Object.hasOwn(codes, code)) return codes[code];
  const short = code.slice(0, code.lastIndexOf("."));
  return Object.hasOwn(codes, short) && codes[short].prefix ? codes[short] : null;
}

/** Images without fields by error code, with what to do and how to list them. */
export function errors(record, codes, run) {
  const all = ended(record);
  const counted = Object.entries(record.error_codes).sort((one, other) => other[1] - one[1]);
  if (!counted.length) return null;
  return card("Error codes", { id: "errors", wide: true, aside: f.plural(counted.length, "code") }, [
    h("div", { class: "codes" }, counted.map(([code, count]) => {
      const about = known(code, codes);
      const id = `sql-${encodeURIComponent(code)}`;
      const sql = listing(record, code, run);
      return h("article", { class: "code", id: `${id}-code` }, [
        h("header", {}, [
          h("h3", {}, h("code", {}, code)),
          h("span", { class: "count" }, [
            share(count, all, "failed"), h("b", {}, f.plural(count, "image")), h("span", {}, `· ${f.percent(count, all)}`),
          ]),
        ]),
        about?.reason && h("p", {}, `${sentence(about.reason)}${about.billed ? " Such calls are billed." : ""}`),
        about?.advice && h("p", { class: "advice" }, [h("b", {}, "What to do: "), sentence(about.advice)]),
        about?.next && h("p", { class: "muted" }, sentence(about.next)),
        !about && h("p", { class: "muted" }, "The reason for each image is in error_message of the result table."),
        sql && h("details", { id: `${id}-more` }, [
          h("summary", {}, "List these images"),
          h("div", { class: "sql" }, [
            h("pre", { tabindex: "0", "aria-label": `SQL for ${code}` }, h("code", { id }, sql)),
            copyButton(id, `the SQL for ${code}`),
          ]),
        ]),
      ]);
    })),
  ]);
}

export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;

const PLAIN = /^[A-Za-z_][A-Za-z0-9_$]*$/;
const identifier = (name) => name.split(".").map((part) => (PLAIN.test(part) ? part : `"${part.replaceAll('"', '""')}"`)).join(".");
const literal = (text) => `'${text.replaceAll("'", "''")}'`;

/** The SQL that lists the images of a code; nothing where there is no table, or the code is a sum of many. */
export function listing(record, code, run) {
  const table = record.targets.find((target) => target.table)?.table;
  if (!table || code.startsWith("(") || code.endsWith("…")) return null;
  return [
    "SELECT image_key, card_side, attempt_status, error_message",
    `FROM ${identifier(table)}`,
    `WHERE attempt_code = ${literal(code)}`,
    `  AND run_id = ${literal(run.run_id)}`,
    "ORDER BY image_key;",
  ].join("\n");
}

/** Calls, what they cost, and what the caps leave. */
export function money(record, now) {
  const { sums, caps } = record;
  const price = cost(record);
  // A run that ended days ago shows sums of its own day.
  const isToday = sums && Date.parse(sums.resets_at) > now;
  const today = isToday ? "today" : `on ${sums?.day}`;
  const month = sums?.day.slice(0, 7);
  const thisMonth = sums && month === f.dayIn(sums.timezone, now).slice(0, 7) ? "this month" : `in ${month}`;
  const reset = isToday ? `resets at midnight ${sums.timezone}, in ${f.duration((Date.parse(sums.resets_at) - now) / 1000)}`
    : `that day ended at midnight ${sums?.timezone}`;
  const rows = [
    [`Calls${ofTries(record)}`, f.count(called(record))],
    [`Billed${ofTries(record)}`, f.count(billed(record))],
    ["Throttled", f.count(record.throttled)],
    ["Cost of this run", price === null ? "No price is set" : f.money(price, record.currency)],
    sums && [`Cost of this task ${today}`, f.costs(sums.cost_today, nothing(record))],
    sums && [`Cost of this task ${thisMonth}`, f.costs(sums.cost_month, nothing(record))],
  ].filter(Boolean);
  return card("Calls and cost", { id: "money", aside: sums && `as of ${f.moment(sums.at, now)}` }, [
    h("dl", { class: "pairs" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    sums && caps.day !== null && cap(`Calls of the account ${today}`, sums.calls_today, caps.day, reset, "day"),
    sums && caps.run !== null && cap("Calls of this run", sums.calls_of_run, caps.run, "all shards and tries together", "run"),
    caps.day === null && caps.run === null && h("p", { class: "note" }, "No cap is set."),
  ]);
}

function cap(name, used, most, until, id) {
  const left = Math.max(0, most - used);
  return h("div", { class: "cap", id: `cap-${id}` }, [
    h("div", {}, [h("span", {}, name), h("b", {}, `${f.count(used)} of ${f.count(most)}`)]),
    partsBar([{ count: used, color: left ? "brand" : "failed" }], most, `${f.percent(used, most)} used`),
    h("p", { class: "muted" }, `${f.count(left)} left; ${until}`),
  ]);
}

/** How the run was set up. */
export function setup(record) {
  const rows = [
    ["Started", f.full_time(record.started_at) || "–"],
    record.pool && ["Pool", `${record.pool}${record.pool_slots === null ? "" : `, ${f.plural(record.pool_slots, "slot")}`}`],
    ["Requests per second, at most", f.rate(record.quota)],
    record.state === "running" && record.pace < record.quota && ["Pace after throttling", f.rate(record.pace)],
    ["Requests in flight, at most", f.count(record.max_in_flight)],
  ].filter(Boolean);
  return card("Run", { id: "setup" },
    h("dl", { class: "pairs" }, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

/** How far each target is filled. */
export function delivery(record) {
  const rows = record.targets.map((target) => [
    target.name, f.count(target.delivered), f.count(target.refused),
    target.on_hold ? badge("up_for_retry") : target.refused ? "Some rows are refused" : "Accepts rows",
  ]);
  const isOver = record.state === "done";
  const files = record.files.map((file) => [file, "–", "–", isOver ? "Written once its window is whole" : "At the end"]);
  const columns = [{ name: "Target" }, { name: "Rows written", kind: NUMBER }, { name: "Refused", kind: NUMBER }, { name: "State" }];
  return card("Delivery", { id: "delivery" }, table("Delivery to targets", columns, [...rows, ...files]));
}

/** What the rules say of recognized documents. */
export function quality(record) {
  const counted = Object.entries(record.flags).filter(([, count]) => count > 0).sort((one, other) => other[1] - one[1]);
  const waiting = record.sums?.waiting_for_review ?? null;
  if (!counted.length && waiting === null) return null;
  const all = record.statuses.recognized ?? 0;
  const rows = counted.map(([flag, count]) => [flag.replaceAll("_", " "), f.count(count), f.percent(count, all), share(count, all, "retry")]);
  const columns = [{ name: "Flag" }, { name: "Images", kind: NUMBER }, { name: "Share", kind: NUMBER }, { name: "", kind: "bar" }];
  return card("Quality", { id: "quality", aside: waiting === null ? null : `${f.count(waiting)} waiting for review` },
    table("Quality flags", columns, rows, { empty: "No flag was raised." }));
}

/** The tries of a task, side by side; Airflow's states beside the ledger's calls. */
export function tries(record, instances) {
  const called = new Map((record?.sums?.tries ?? []).map((each) => [each.number, each]));
  const own = record?.try_number;
  if (own && record.calls) called.set(own, { ...called.get(own), calls: record.calls, billed: record.billed });
  const rows = instances.map((each) => {
    const calls = called.get(each.try_number);
    return [
      f.count(each.try_number), badge(each.state), f.full_time(each.start_date) || "–", f.duration(each.duration),
      f.count(calls?.calls), f.count(calls?.billed), f.count(calls?.answered),
    ];
  });
  if (rows.length < 2) return null;
  const columns = [{ name: "Try" }, { name: "State" }, { name: "Started" }, { name: "Duration", kind: NUMBER },
    { name: "Calls", kind: NUMBER }, { name: "Billed", kind: NUMBER }, { name: "Answered", kind: NUMBER }];
  return card("Tries", { id: "tries", wide: true, note: "What one try has paid for, the next does not call for again." },
    table("Tries", columns, rows));
}

/** All shards of a run, each with its own page. */
export function shards(run, found) {
  const rows = found.map(({ instance, record }) => {
    const name = record?.shard ? `Shard ${record.shard}` : instance.rendered_map_index || `Map index ${instance.map_index}`;
    const link = pageLink("run.html", runQuery(run, instance.map_index), name);
    if (!record || record.isElsewhere) return [link, badge(instance.state), "–", "–", "–", "–", "–"];
    return [
      link, badge(instance.state), `${f.count(record.done)} of ${f.count(record.total)}`,
      share(record.done, record.total, "success"), f.rate(speed(record).calls),
      f.percent(failed(record), ended(record)), f.count(record.throttled),
    ];
  });
  const columns = [{ name: "Shard" }, { name: "State" }, { name: "Images done", kind: NUMBER }, { name: "", kind: "bar" },
    { name: "Calls/s", kind: NUMBER }, { name: "Without fields", kind: NUMBER }, { name: "Throttled", kind: NUMBER }];
  return card("Shards", { id: "shards", wide: true, aside: f.count(rows.length) }, table("Shards", columns, rows));
}
