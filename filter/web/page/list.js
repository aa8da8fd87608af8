// A list of any length: only the visible rows are in the document. The Tab key reaches the list, the arrow keys its rows.

import { h, put } from "./dom.js";

/**
 * @param {{label: string, kind: string, height: number, tall?: number, items: any[], key: (item: any) => string, name: (item: any) => string,
 *   row: (item: any) => Node[], chosen?: string, choose: (item: any) => void}} options
 */
export function list(options) {
  const { label, kind, key, row } = options;
  // On narrow screens, a row has more lines.
  const narrow = matchMedia("(max-width: 46rem)");
  let height = narrow.matches ? options.tall ?? options.height : options.height;
  const few = 12;
  const space = h("div", { class: "space", role: "presentation" });
  const box = h("div", { class: `list ${kind}`, role: "listbox", tabindex: "0", "aria-label": label }, space);
  let items = [], chosen = options.chosen, at = -1;
  const id = index => `${kind}-${index}`;

  function draw() {
    const from = Math.max(0, Math.floor(box.scrollTop / height) - 5);
    const seen = box.classList.contains("few") ? items.length : Math.ceil((box.clientHeight || 600) / height) + 10;
    const rows = [];
    for (let index = from; index < Math.min(items.length, from + seen); index++) {
      const item = items[index];
      const element = h("div", { class: "row", role: "option", id: id(index), "aria-posinset": index + 1, "aria-setsize": items.length,
        "aria-selected": String(key(item) === chosen), "data-key": key(item), onclick: () => choose(index) }, row(item));
      element.style.top = `${index * height}px`;
      element.style.height = `${height}px`;
      rows.push(element);
    }
    put(space, rows);
    if (at >= 0) box.setAttribute("aria-activedescendant", id(at)); else box.removeAttribute("aria-activedescendant");
  }

  function show(index) {
    const top = index * height;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + height > box.scrollTop + box.clientHeight) box.scrollTop = top + height - box.clientHeight;
  }

  function choose(index) {
    at = index;
    chosen = key(items[index]);
    show(index);
    draw();
    options.choose(items[index]);
  }

  box.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  box.addEventListener("keydown", event => {
    const page = Math.max(1, Math.floor(box.clientHeight / height) - 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined || !items.length) return;
    event.preventDefault();
    choose(Math.min(items.length - 1, Math.max(0, to)));
  });

  narrow.addEventListener("change", () => {
    height = narrow.matches ? options.tall ?? options.height : options.height;
    space.style.height = `${items.length * height}px`;
    draw();
  });

  return {
    element: box,
    /** Shows other items, and keeps the selection and the scroll position. */
    set(now) {
      items = now;
      at = chosen == null ? -1 : items.findIndex(item => key(item) === chosen);
      box.classList.toggle("few", items.length <= few);
      space.style.height = `${items.length * height}px`;
      draw();
    },
  };
}
