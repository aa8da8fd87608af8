// Builds elements from data. Text from objects is inserted as text, never as markup: anybody may have written it.

const SVG = "http://www.w3.org/2000/svg";

/** Elements with event listeners: never reused for other content. */
const wired = new WeakSet();

function listen(element, name, listener) {
  element.addEventListener(name, listener);
  wired.add(element);
}

const listed = children => children.flat(Infinity).filter(child => child != null && child !== false && child !== "");

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) listen(element, name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...listed(children));
  return element;
}

/** An element: h("p", {class: "quiet"}, "text", [more]). */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
/** The same in SVG. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/** Whether the elements differ only in their children. */
function isAlike(one, other) {
  return one.nodeType === Node.ELEMENT_NODE && one.nodeName === other.nodeName && !wired.has(one) && !wired.has(other)
    && one.attributes.length === other.attributes.length && [...one.attributes].every(({ name, value }) => other.getAttribute(name) === value);
}

/** The first of these siblings that is equal to a node. */
function equal(sibling, node) {
  while (sibling && !sibling.isEqualNode(node)) sibling = sibling.nextSibling;
  return sibling;
}

/** Replaces an element's children, but keeps those that are equal: they keep the focus, and screen readers do not repeat them. */
export function put(parent, ...children) {
  const wanted = listed(children).map(child => child instanceof Node ? child : document.createTextNode(child));
  let here = parent.firstChild;
  const drop = until => { while (here !== until) { const gone = here; here = here.nextSibling; gone.remove(); } };
  wanted.forEach((node, at) => {
    const same = equal(here, node);
    if (same) {
      drop(same);
      here = same.nextSibling;
    } else if (here && isAlike(here, node) && !wanted.slice(at + 1).some(later => here.isEqualNode(later))) {
      put(here, ...node.childNodes);
      here = here.nextSibling;
    } else {
      parent.insertBefore(node, here);
    }
  });
  drop(null);
}

const opened = new Map();

/** A section that can be opened. Rebuilt with the same key, it stays open or closed. */
export function fold(key, attributes, summary, ...rest) {
  const element = h("details", { ...attributes, open: opened.get(key) ?? attributes?.open, ontoggle: () => opened.set(key, element.open) }, summary, rest);
  return element;
}

/** A sign: a shape, a word, and a colour. */
export const sign = (kind, word) => h("span", { class: `sign ${kind}` }, word);

/** A field with its label. */
export const field = (label, input, attributes) => h("label", attributes, label, input);

/** The parts of Markdown that findings use: `code` and [text](link), of which the link is dropped. */
export function prose(text) {
  const parts = text.replace(/\[([^\]]+)\]\([^)]*\)/g, "$1").split("`");
  return parts.map((part, at) => at % 2 ? h("code", null, part) : part);
}

/** A table; `rows` are lists of cells, the first of each its heading. */
export function table(caption, heads, rows) {
  return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, h("table", { class: "stack" },
    h("caption", { class: "unseen" }, caption),
    h("thead", null, h("tr", null, heads.map(head => h("th", { scope: "col" }, head)))),
    h("tbody", null, rows.map(cells => h("tr", null, cells.map((cell, at) => at === 0
      ? h("th", { scope: "row" }, cell) : h("td", { "data-label": heads[at] }, cell)))))));
}

/** Shown where there is no data. */
export const empty = (title, ...rest) => h("div", { class: "empty" }, h("strong", null, title), rest);

/** Announces a text to screen readers. */
export function announce(text) { document.getElementById("announcer").textContent = text; }

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
