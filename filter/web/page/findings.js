// What is wrong or doubtful, by object: where in the YAML, what it means, what to do.

import { h, sign, empty, plural, field, prose } from "./dom.js";
import { known, findings as all } from "./data.js";
import { ask } from "./explorer.js";

const KINDS = { error: "bad", warning: "doubt", info: "info" };

export function findingLine(one) {
  return h("div", { class: "finding" }, sign(KINDS[one.severity], one.severity), h("div", null, h("p", { class: "message" }, one.message), h("p", { class: "small quiet" }, `${one.object}${one.field ? `, ${one.field}` : ""} · ${one.code}`)));
}

/** Some lines around the place. */
async function place(one) {
  const manifest = await ask("object", one.object).catch(() => null);
  if (!manifest) return null;
  const line = await ask("place", manifest, one.field);
  if (!line) return null;
  const lines = manifest.split("\n"), from = Math.max(0, line - 3), to = Math.min(lines.length, line + 3);
  return h("div", { class: "place mono", tabindex: "0", role: "region", "aria-label": `Lines ${from + 1} to ${to} of ${one.object}` }, lines.slice(from, to).map((text, at) =>
    h("div", { class: from + at + 1 === line ? "hit" : "" }, `${String(from + at + 1).padStart(4)} ${from + at + 1 === line ? "▸" : " "} ${text}`)));
}

function whole(one) {
  const code = known.codes.get(one.code);
  const where = h("div");
  const more = one.field && !known.missing && h("details", null, h("summary", { class: "small" }, "Show the place"), where);
  if (more) more.addEventListener("toggle", async () => { if (more.open && !where.firstChild) where.replaceChildren((await place(one)) ?? h("p", { class: "quiet small" }, "This version of the object is not the one that is served, so its text is not here.")); });
  return h("div", { class: "finding" }, sign(KINDS[one.severity], one.severity), h("div", null, h("p", { class: "message" }, one.message),
    h("p", { class: "small" }, one.field && [h("code", null, one.field), " "], h("span", { class: "quiet" }, one.code)),
    code && h("p", { class: "small" }, "It means: ", prose(code.means), ". ", code.remedy && ["To do: ", prose(code.remedy), "."]), more));
}

const MOST = 150;

export function findings(root, params) {
  const text = h("input", { type: "search", placeholder: "object, code, message", autocomplete: "off", value: params.get("text") ?? "" });
  const ticks = Object.keys(KINDS).map(name => [name, h("input", { type: "checkbox", checked: true })]);
  const section = h("select", null, h("option", { value: "" }, "everything"));
  const sub = h("p", { role: "status" }), body = h("div");
  let drawn = null;
  root.append(h("div", { class: "head" }, h("h1", null, "Findings"), sub), h("div", { class: "tools" }, field("Find", text, { class: "grow" }), field("About", section), ticks.map(([name, tick]) => h("label", { class: "tick" }, tick, name))), body);

  function draw() {
    const said = all();
    if (section.options.length === 1 && known.codes.size) section.append(...[...new Set([...known.codes.values()].map(code => code.section))].map(name => h("option", null, name)));
    const wanted = new Set(ticks.filter(([, tick]) => tick.checked).map(([name]) => name));
    const words = text.value.trim().toLowerCase();
    const shown = said.filter(one => wanted.has(one.severity) && (!section.value || known.codes.get(one.code)?.section === section.value)
      && (!words || `${one.object} ${one.code} ${one.field ?? ""} ${one.message}`.toLowerCase().includes(words)));
    // What is open stays open.
    const now = JSON.stringify([shown, known.codes.size]);
    if (now === drawn) return;
    drawn = now;
    sub.textContent = said.length ? `${plural(said.filter(one => one.severity === "error").length, "error")}, ${plural(said.filter(one => one.severity === "warning").length, "warning")}${shown.length < said.length ? `; ${shown.length} shown` : ""}` : "";
    if (!said.length) return body.replaceChildren(known.mode === "manifests" && !known.served ? empty("No manifests yet", h("a", { href: "#/overview" }, "Paste some"), " to have them checked.") : empty("Nothing to say", "Every object is carried out as it is written."));
    if (!shown.length) return body.replaceChildren(empty("None of these", "Another word or more ticks may find some."));
    const objects = new Map();
    for (const one of shown.slice(0, MOST)) objects.set(one.object, [...(objects.get(one.object) ?? []), one]);
    body.replaceChildren(...[...objects].map(([object, own]) => h("section", { class: "object" }, h("h2", null, object), own.map(whole))), shown.length > MOST ? h("p", { class: "quiet" }, `and ${shown.length - MOST} more: look for some of them`) : "");
  }
  text.addEventListener("input", draw);
  section.addEventListener("change", draw);
  ticks.forEach(([, tick]) => tick.addEventListener("change", draw));
  return { update: draw, params(now) { text.value = now.get("text") ?? ""; draw(); } };
}
