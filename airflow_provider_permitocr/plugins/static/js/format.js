// Numbers, amounts and times as people read them.

const locale = "en-US";
const counts = new Intl.NumberFormat(locale);
const rates = new Intl.NumberFormat(locale, { maximumFractionDigits: 1, minimumFractionDigits: 1 });

const zone = (() => {
  try {
    // What the user has chosen in Airflow.
    const chosen = localStorage.getItem("timezone")?.replace(/"/g, "");
    new Intl.DateTimeFormat(locale, { timeZone: chosen || undefined });
    return chosen || undefined;
  } catch {
    return undefined;
  }
})();

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);

export const count = (value) => (isNumber(value) ? counts.format(Math.round(value)) : "–");
export const rate = (value) => (isNumber(value) ? rates.format(value) : "–");
export const percent = (part, whole) => {
  if (!isNumber(part) || !isNumber(whole) || whole <= 0) return "–";
  const share = (100 * part) / whole;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  if (share < 100 && share > 99.9) return "> 99.9 %";
  return `${share >= 10 || share === 0 ? Math.round(share) === 100 && share < 100 ? "99.9" : Math.round(share) : share.toFixed(1)} %`;
};

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** Show seconds as 1 h 02 min, 3 min 20 s or 12 s. */
export function duration(seconds) {
  if (!isNumber(seconds) || seconds < 0) return "–";
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours >= 48) return `${counts.format(Math.round(hours / 24))} days`;
  if (hours) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes ? `${minutes} min ${String(rest).padStart(2, "0")} s` : `${rest} s`;
}

const valid = (text) => (Number.isFinite(Date.parse(text ?? "")) ? new Date(text) : null);
const format = (options) => new Intl.DateTimeFormat(locale, { timeZone: zone, hourCycle: "h23", ...options });
const clocks = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = format({ year: "numeric", month: "short", day: "numeric" });
const both = format({ month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = format({ dateStyle: "medium", timeStyle: "long" });

export const clock = (text) => (valid(text) ? clocks.format(valid(text)) : "–");
export const full_time = (text) => (valid(text) ? full.format(valid(text)) : "");

/** Show a moment, with its day where that is not today. */
export function moment(text, now) {
  const at = valid(text);
  if (!at) return "–";
  return days.format(at) === days.format(now) ? clocks.format(at) : both.format(at);
}

/** Show how long ago something was. */
export function ago(text, now) {
  const at = valid(text);
  if (!at) return "–";
  const seconds = Math.max(0, (now - at) / 1000);
  return seconds < 2 ? "just now" : `${duration(seconds)} ago`;
}

/** The day it is somewhere: 2026-11-30. */
export function dayIn(timezone, now) {
  try {
    const options = { timeZone: timezone, year: "numeric", month: "2-digit", day: "2-digit" };
    return new Intl.DateTimeFormat("en-CA", options).format(now);
  } catch {
    return new Date(now).toISOString().slice(0, 10);
  }
}

// Amounts are exact: ten thousand calls at 0.0015 cost 15.
function scaled(text, digits) {
  const match = /^(-?)(\d{1,30})(?:\.(\d{0,30}))?$/.exec(String(text ?? ""));
  if (!match) return null;
  return BigInt(match[1] + match[2] + (match[3] ?? "").padEnd(digits, "0").slice(0, digits));
}
const DIGITS = 12;

/** Multiply an amount by a count. */
export function times(amount, number) {
  const value = scaled(amount, DIGITS);
  return value === null || !Number.isSafeInteger(number) ? null : unscaled(value * BigInt(number));
}

/** Add amounts. */
export const sum = (amounts) => unscaled(amounts.reduce((all, each) => all + (scaled(each, DIGITS) ?? 0n), 0n));

function unscaled(value) {
  const text = String(value < 0n ? -value : value).padStart(DIGITS + 1, "0");
  return `${value < 0n ? "-" : ""}${text.slice(0, -DIGITS)}.${text.slice(-DIGITS)}`;
}

/** Show an amount with its currency: 1,234.50 USD. */
export function money(amount, currency) {
  if (amount === null || amount === undefined || scaled(amount, DIGITS) === null) return "–";
  const [whole, part = ""] = String(amount).split(".");
  const shown = part.replace(/0+$/, "").padEnd(2, "0");
  return `${counts.format(BigInt(whole))}.${shown}${currency ? ` ${currency}` : ""}`;
}

/** Show a cost in one or more currencies. */
export function costs(byCurrency, ifNone = "–") {
  const shown = Object.entries(byCurrency ?? {}).map(([currency, amount]) => money(amount, currency));
  return shown.length ? shown.join(" + ") : ifNone;
}
