// Elements from data. Text is always set as text: no value is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(String(child)));
    }
  }
  return element;
}

/** Make an HTML element; children may be elements, texts, numbers or lists of these. */
export function h(tag, attributes, ...children) {
  return make(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function s(tag, attributes, ...children) {
  return make(document.createElementNS(SVG, tag), attributes, children);
}

/** Change what is shown into what should be, and leave alone what is the same: focus and scrolling stay. */
export function morph(now, next) {
  if (now.nodeType !== next.nodeType || now.nodeName !== next.nodeName || now.id !== next.id) {
    now.replaceWith(next);
    return;
  }
  if (now.nodeType === Node.TEXT_NODE) {
    if (now.data !== next.data) now.data = next.data;
    return;
  }
  for (const { name } of [...now.attributes]) {
    // What the user opened stays open.
    if (!next.hasAttribute(name) && !(name === "open" && now.nodeName === "DETAILS")) now.removeAttribute(name);
  }
  for (const { name, value } of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  morphChildren(now, [...next.childNodes]);
}

/** Identifies an element among its siblings: by its id, or else by its kind. */
const keyOf = (node) => `${node.nodeName} ${node.id || (node.className?.baseVal ?? node.className ?? "").split?.(" ")[0]}`;

function morphChildren(now, after) {
  const wanted = new Map();
  for (const child of after) wanted.set(keyOf(child), (wanted.get(keyOf(child)) ?? 0) + 1);
  const kept = new Map();
  for (const child of [...now.childNodes]) {
    const key = keyOf(child);
    const same = kept.get(key) ?? [];
    if (same.length < (wanted.get(key) ?? 0)) kept.set(key, [...same, child]);
    else child.remove();
  }
  let place = now.firstChild;
  for (const child of after) {
    const same = kept.get(keyOf(child))?.shift();
    if (same && same === place) place = place.nextSibling;
    else now.insertBefore(same ?? child, place);
    if (same) morph(same, child);
  }
}

/** Show these elements on the page. */
export function show(...children) {
  const page = document.getElementById("page");
  const next = h("main", { id: "page", "aria-busy": "false" }, children);
  morph(page, next);
}

/** Copy the text of the element that a button names, and say so. */
async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    isCopied = copyBySelection(source);
  }
  announce(isCopied ? "Copied" : "Select the text and copy it");
  const label = button.querySelector("span");
  if (isCopied && label) {
    const text = label.textContent;
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = text; }, 1500);
  }
}

// Airflow's frame grants no access to the clipboard, and pages without TLS have none.
function copyBySelection(source) {
  const range = document.createRange();
  range.selectNodeContents(source);
  const selection = document.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand("copy");
}

/** Have a screen reader say something. */
export function announce(text) {
  let region = document.getElementById("said");
  if (!region) {
    region = h("div", { id: "said", class: "unseen", role: "status", "aria-live": "polite" });
    document.body.append(region);
  }
  region.textContent = text;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
