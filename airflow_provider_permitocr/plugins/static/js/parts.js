// What both pages are made of: badges, cards, tables, notices.

import { h } from "./dom.js";
import { shareBar } from "./charts.js";

const STATES = {
  running: ["Running", "running"],
  success: ["Success", "success"],
  done: ["Success", "success"],
  failed: ["Failed", "failed"],
  queued: ["Queued", "queued"],
  scheduled: ["Scheduled", "queued"],
  deferred: ["Deferred", "queued"],
  restarting: ["Restarting", "retry"],
  up_for_retry: ["Up for retry", "retry"],
  up_for_reschedule: ["Up for reschedule", "retry"],
  upstream_failed: ["Upstream failed", "rejected"],
  skipped: ["Skipped", "skipped"],
  removed: ["Removed", "skipped"],
  none: ["No status", "queued"],
};

/** Show a state as Airflow does: a word on a dot of its colour. */
export function badge(state) {
  const [word, color] = STATES[state] ?? [state || "No status", "queued"];
  return h("span", { class: `badge ${color}` }, [h("i", { "aria-hidden": "true" }), word]);
}

/** How images end, in the order in which they are shown. */
export const STATUSES = [
  ["recognized", "Recognized", "success", "The API answered with fields"],
  ["retry", "To try again", "retry", "Gave up for now; the next run tries again"],
  ["failed", "Failed", "failed", "The API said no for good"],
  ["rejected", "Rejected", "rejected", "Refused before any call, so free of charge"],
  ["gone", "Gone", "skipped", "To be tried again, but no longer listed"],
  ["redo", "To redo", "retry", "Asked for again, and not answered yet"],
  ["erased", "Erased", "skipped", "All that was known of it was erased"],
];

/** A titled part of the page. */
export function card(title, { id, aside, wide, note } = {}, ...content) {
  const head = id ? `${id}-title` : null;
  return h("section", { class: `card${wide ? " wide" : ""}`, id, "aria-labelledby": head }, [
    h("header", {}, [h("h2", { id: head }, title), aside && h("div", { class: "aside" }, aside)]),
    note && h("p", { class: "note" }, note),
    content,
  ]);
}

/** One figure with its name. */
export function stat(name, value, detail, color) {
  return h("div", { class: `stat${color ? ` ${color}` : ""}` }, [
    h("dt", {}, [color && h("i", { class: "key", "aria-hidden": "true" }), name]),
    h("dd", {}, [value, detail && h("small", {}, detail)]),
  ]);
}

/** Figures side by side. */
export const stats = (label, ...children) => h("dl", { class: "stats", "aria-label": label }, children);

/** A table that scrolls on its own where it is too wide, by keyboard too. */
export function table(label, columns, rows, { id, empty = "Nothing yet." } = {}) {
  if (!rows.length) return h("p", { class: "muted empty" }, empty);
  const of = (column) => ({ class: columns[column]?.kind ?? null });
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, [
    h("table", { id }, [
      h("thead", {}, h("tr", {}, columns.map((each, column) => h("th", { scope: "col", ...of(column) }, each.name)))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, column) => (
        column === 0 ? h("th", { scope: "row", ...of(column) }, cell)
          : h("td", { ...of(column), "data-name": columns[column].name || null }, cell)
      ))))),
    ]),
  ]);
}

/** The numbers of a picture, for those who do not see it. */
export function numbers(id, label, columns, rows) {
  return h("details", { id: `${id}-more` }, [
    h("summary", {}, "Numbers"),
    table(label, columns, rows, { id: `${id}-numbers` }),
  ]);
}

/** A count with its share as a bar. */
export const share = (count, whole, color) => h("div", { class: "share" }, shareBar(count, whole, color));

/** A message; `kind` is info, warning or error. */
export function notice(kind, title, ...content) {
  return h("div", { class: `notice ${kind}`, role: kind === "error" ? "alert" : "status" }, [
    h("b", {}, title), content.length ? h("div", {}, content) : null,
  ]);
}

/** A button that copies what is in the element of this id. */
export function copyButton(id, what) {
  return h("button", { type: "button", class: "button", "data-copy": id, "aria-label": `Copy ${what}` },
    h("span", {}, "Copy"));
}

/** What to say where Airflow's API does not answer with data. */
export function refusal(error, dagId) {
  if (error.kind === "login") {
    return notice("error", "You are logged out.", "Numbers are as of the last update. ",
      h("button", { type: "button", class: "button", "data-login": true }, "Log in again"));
  }
  if (error.kind === "forbidden") {
    return notice("warning", "You may not see these numbers.", [
      dagId ? ["This needs the right to read XComs and task instances of the DAG ", h("code", {}, dagId), ". "]
        : "This needs the right to read XComs. ",
      "Ask whoever manages Airflow's roles.",
    ]);
  }
  if (error.kind === "missing") {
    return notice("info", "There is no such run.", "It was deleted, or the address is wrong.");
  }
  const what = error.status ? `Airflow's API answered with an error (HTTP status ${error.status}).`
    : "Airflow's API does not answer.";
  return notice("warning", what, "The page keeps trying.");
}
