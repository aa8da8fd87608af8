// Findings by object: where in the YAML, what they mean, and what to do.

import { h, put, sign, empty, plural, field, prose } from "./dom.js";
import { known, findings as all } from "./data.js";
import { ask } from "./explorer.js";

const KINDS = { error: "bad", warning: "doubt", info: "info" };

export function findingLine(one) {
  return h("div", { class: "finding" }, sign(KINDS[one.severity], one.severity), h("div", null, h("p", { class: "message" }, one.message), h("p", { class: "small quiet" }, `${one.object}${one.field ? `, ${one.field}` : ""} · ${one.code}`)));
}

/** The lines around the field. */
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
  const more = one.field && !known.missing && h("details", { ontoggle: show }, h("summary", { class: "small" }, "Show it in the YAML"), where);
  async function show() { if (more.open && !where.firstChild) where.replaceChildren((await place(one)) ?? h("p", { class: "quiet small" }, "This version of the object is not served, so its text is not available.")); }
  return h("div", { class: "finding" }, sign(KINDS[one.severity], one.severity), h("div", null, h("p", { class: "message" }, one.message),
    h("p", { class: "small" }, one.field && [h("code", null, one.field), " "], h("span", { class: "quiet" }, one.code)),
    code && h("p", { class: "small" }, "It means: ", prose(code.means), ". ", code.remedy && ["To do: ", prose(code.remedy), "."]), more));
}

const MOST = 150;

/** Shown if there are no findings. */
function praise() {
  if (known.mode === "agent") return empty("No errors or warnings");
  if (!known.served) return empty("No manifests yet", h("a", { href: "#/overview" }, "Paste some"), " to have them checked.");
  return empty("No findings", "Every object works as it is written.");
}

export function findings(root, params) {
  const text = h("input", { type: "search", placeholder: "object, code, message", autocomplete: "off", value: params.get("text") ?? "" });
  const ticks = Object.keys(KINDS).map(name => {
    const tick = h("input", { type: "checkbox", checked: true });
    return [name, tick, h("label", { class: "tick" }, tick, name)];
  });
  const about = h("select", null, h("option", { value: "" }, "all topics"));
  const sub = h("p", { role: "status" }), body = h("div");
  let drawn = null, sections = new Map();
  root.append(h("div", { class: "head" }, h("h1", null, "Findings"), sub), h("div", { class: "tools" }, field("Find", text, { class: "grow" }), field("Topic", about), ticks.map(([, , label]) => label)), body);

  /** Reuses the element for the same findings, so that what is open in it stays open. */
  function section(object, own) {
    const key = JSON.stringify([own, known.codes.size]);
    return [key, sections.get(key) ?? h("section", { class: "object" }, h("h2", null, object), own.map(whole))];
  }

  function draw() {
    const said = all();
    // An agent reports no findings of severity info.
    for (const [name, , label] of ticks) label.hidden = name === "info" && known.mode === "agent";
    if (about.options.length === 1 && known.codes.size) about.append(...[...new Set([...known.codes.values()].map(code => code.section))].map(name => h("option", null, name)));
    const wanted = new Set(ticks.filter(([, tick]) => tick.checked).map(([name]) => name));
    const words = text.value.trim().toLowerCase();
    const shown = said.filter(one => wanted.has(one.severity) && (!about.value || known.codes.get(one.code)?.section === about.value)
      && (!words || `${one.object} ${one.code} ${one.field ?? ""} ${one.message}`.toLowerCase().includes(words)));
    const now = JSON.stringify([shown, known.codes.size]);
    if (now === drawn) return;
    drawn = now;
    put(sub, said.length > 0 && `${plural(said.filter(one => one.severity === "error").length, "error")}, ${plural(said.filter(one => one.severity === "warning").length, "warning")}${shown.length < said.length ? `; ${shown.length} shown` : ""}`);
    if (!said.length) return put(body, praise());
    if (!shown.length) return put(body, empty("No matching findings", "Change the search text, or select more severities."));
    const objects = new Map();
    for (const one of shown.slice(0, MOST)) objects.set(one.object, [...(objects.get(one.object) ?? []), one]);
    sections = new Map([...objects].map(([object, own]) => section(object, own)));
    put(body, [...sections.values()], shown.length > MOST && h("p", { class: "quiet" }, `and ${shown.length - MOST} more: search to narrow the list`));
  }
  text.addEventListener("input", draw);
  about.addEventListener("change", draw);
  ticks.forEach(([, tick]) => tick.addEventListener("change", draw));
  return { update: draw, params(now) { text.value = now.get("text") ?? ""; draw(); } };
}
