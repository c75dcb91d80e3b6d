// Being in Airflow's frame, or alone: the look, the way out, the address.

import { h } from "./dom.js";

const MARK = "/permitocr/ui/";
const HERE = location.pathname;

/** The path that Airflow is at: "" or "/team/airflow". */
export const base = HERE.slice(0, Math.max(0, HERE.lastIndexOf(MARK)));

const host = hostDocument();

function hostDocument() {
  try {
    return window.parent === window ? null : window.parent.document.documentElement;
  } catch {
    return null; // framed by somebody else
  }
}

/** Whether the page is within Airflow's own. */
export const isFramed = host !== null;

// Airflow 3.2 always opens the entry of the menu: the address says what was asked for. Later ones do it themselves.
function takeAskedPage() {
  const ownPages = base + MARK;
  const cameFrom = document.referrer && new URL(document.referrer).pathname;
  const isEntry = HERE === `${ownPages}index.html` || HERE === ownPages;
  // Who came here by a link of these pages has asked for this one.
  if (!isFramed || !isEntry || cameFrom.startsWith(ownPages)) return;
  const asked = window.parent.location.pathname.split("/plugin/permitocr")[1] ?? "";
  if (asked.startsWith(`${ownPages}run.html`)) location.replace(asked + window.parent.location.search);
}
takeAskedPage();

const TOKENS = [
  "colors-bg", "colors-bg-subtle", "colors-bg-muted", "colors-bg-emphasized", "colors-fg",
  "colors-fg-muted", "colors-border", "colors-border-emphasized", "fonts-body", "radii-md",
];

function takeTheme() {
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const isDark = host ? host.classList.contains("dark") : standaloneTheme(prefersDark);
  root.dataset.theme = isDark ? "dark" : "light";
  if (!host) return;
  const style = host.ownerDocument.defaultView.getComputedStyle(host);
  for (const name of TOKENS) {
    const value = style.getPropertyValue(`--chakra-${name}`).trim();
    if (value) root.style.setProperty(`--af-${name}`, value);
    else root.style.removeProperty(`--af-${name}`);
  }
}

// Alone, the page follows what the user has chosen in Airflow, which keeps it in the browser.
function standaloneTheme(prefersDark) {
  const chosen = localStorage.getItem("theme");
  return chosen ? chosen.includes("dark") : prefersDark;
}

takeTheme();
if (host) new MutationObserver(takeTheme).observe(host, { attributes: true, attributeFilter: ["class"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", takeTheme);

/** Go to another page of Airflow: a plain link would open all of Airflow within its own frame. */
export function leave(href) {
  const page = isFramed ? window.parent.document : document;
  const anchor = page.createElement("a");
  anchor.href = href;
  page.body.append(anchor);
  anchor.click();
  anchor.remove();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[data-out]");
  const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  if (link && isPlain && isFramed) {
    event.preventDefault();
    leave(link.href);
  }
});

/** Return a link to a page of Airflow itself. */
export function airflowLink(path, ...children) {
  return h("a", { href: base + path, "data-out": true }, children);
}

/** Return a link to another page of these. */
export function pageLink(page, query, ...children) {
  return h("a", { href: `${base}${MARK}${page}${query ? `?${query}` : ""}` }, children);
}

/** Name a run in an address. */
export function runQuery(run, mapIndex = -1) {
  const query = new URLSearchParams({ dag_id: run.dag_id, run_id: run.run_id, task_id: run.task_id });
  if (mapIndex >= 0) query.set("map_index", mapIndex);
  return query.toString();
}

/** Go to the login, and come back; once in a while, so that two pages don't send the user to and fro. */
export function logIn({ isAsked = false } = {}) {
  const last = Number(sessionStorage.getItem("permitocr-login") ?? 0);
  if (!isAsked && Date.now() - last < 60_000) return false;
  sessionStorage.setItem("permitocr-login", String(Date.now()));
  const top = isFramed ? window.parent.location : location;
  leave(`${base}/api/v2/auth/login?next=${encodeURIComponent(top.href)}`);
  return true;
}
