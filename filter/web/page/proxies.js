// What each Envoy has confirmed, what it lacks, and what it rejects, with its error messages.

import { h, put, fold, sign, empty, plural, table } from "./dom.js";
import { known } from "./data.js";
import { relative } from "./time.js";

const STATES = { current: ["good", "current"], behind: ["doubt", "behind"], refused: ["bad", "refused"], gone: ["wait", "gone"] };
const RANK = ["refused", "behind", "gone", "current"];

const MINUTE = 60_000;

/** Whether some proxy does not have the served version. */
const isLacked = own => own.proxies.some(held => held.state === "behind" || held.state === "refused");

function proxy(own, { credentials, proxyRefusals }) {
  const [kind, word] = STATES[own.state];
  const refusals = proxyRefusals.filter(refusal => refusal.node === own.node);
  const lacking = credentials.filter(one => one.proxies.some(held => held.node === own.node && (held.state === "behind" || held.state === "refused")));
  return h("section", null, h("h2", null, own.node, " ", sign(kind, word)),
    refusals.length ? h("ul", { class: "rows" }, refusals.map(refusal => h("li", null, sign("bad", `${refusal.type} ${refusal.name ?? ""}`), h("p", { class: "mono" }, refusal.reason),
      h("p", { class: "quiet small" }, [refusal.since && `Refused ${relative(refusal.since)}`, refusal.version && `version ${refusal.version.slice(0, 16)}`].filter(Boolean).join(", "))))) : "",
    lacking.length ? h("p", null, `${plural(lacking.length, "certificate")} behind or refused: `, lacking.slice(0, 10).map((one, at) => [at ? ", " : "", h("a", { href: `#/certificates?name=${encodeURIComponent(one.name)}` }, one.name)]), lacking.length > 10 ? ` and ${lacking.length - 10} more` : "") : "",
    own.types.length ? table(`What ${own.node} confirmed`, ["Type", "Has", "Confirmed", "Refused", "Versions"], own.types.map(type => [type.type, plural(Object.keys(type.acknowledged).length, "resource"),
      h("span", { class: "num" }, type.confirmations.toLocaleString("en")), type.refusals ? [h("span", { class: "num" }, type.refusals.toLocaleString("en"), type.refusals === 1 ? " time" : " times"), type.refused && h("p", { class: "small" }, type.refused)] : "never", versions(own, type)])) : h("p", { class: "quiet" }, "It has confirmed nothing yet."),
    own.unjudged ? h("p", { class: "notice" }, `It keeps ${plural(own.unjudged, "resource")} from a previous agent, because their objects cannot be read.`) : "");
}

function versions({ node }, type) {
  const all = Object.entries(type.acknowledged);
  if (!all.length) return "—";
  return fold(`versions ${type.type} ${node}`, null, h("summary", { class: "small" }, plural(all.length, "version")), h("ul", { class: "small" }, all.slice(0, 200).map(([name, version]) => h("li", null, `${name} `, h("code", null, version.slice(0, 16)))), all.length > 200 ? h("li", { class: "quiet" }, `and ${all.length - 200} more`) : ""));
}

export function proxies(root) {
  const sub = h("p"), body = h("div");
  let drawn = null;
  root.append(h("div", { class: "head" }, h("h1", null, "Proxies"), sub), body);
  return {
    update() {
      const status = known.status;
      if (!status) return put(body, empty("Proxies need a gateway", "Open this page at the --admin address of a running agent to see what each Envoy has confirmed."));
      // Redraws only if something shown has changed, or a minute has passed.
      const lacked = status.credentials.filter(isLacked).map(own => [own.name, own.proxies]);
      const now = JSON.stringify([status.proxies, status.proxyRefusals, lacked, Math.floor(Date.now() / MINUTE)]);
      if (now === drawn) return;
      drawn = now;
      put(sub, `${plural(status.proxies.filter(own => own.connected).length, "proxy", "proxies")} connected`);
      if (!status.proxies.length) return put(body, empty("No Envoy has connected yet", "Start one with the bootstrap that sealgate bootstrap prints."));
      const sorted = [...status.proxies].sort((a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state));
      put(body, sorted.slice(0, 50).map(own => proxy(own, status)), sorted.length > 50 ? h("p", { class: "quiet" }, `and ${sorted.length - 50} more, in the state ${sorted[50].state} or better`) : "");
    },
  };
}
