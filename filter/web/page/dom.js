// Elements from data. Whatever comes from objects is put in as text, never as markup: anybody may have written it.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value == null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  return element;
}

/** An element: h("p", {class: "quiet"}, "text", [more]). */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
/** The same in SVG. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

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

/** What is said when there is nothing. */
export const empty = (title, ...rest) => h("div", { class: "empty" }, h("strong", null, title), rest);

/** Tells screen readers. */
export function announce(text) { document.getElementById("announcer").textContent = text; }

export const plural = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
