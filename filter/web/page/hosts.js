// Gateways, hosts, and their rules: first those that are tried, in order, then those that never are.

import { h, put, fold, sign, empty, plural, field, announce } from "./dom.js";
import { known } from "./data.js";
import { list } from "./list.js";
import { ask } from "./explorer.js";

/** Codes that apply to a rule on every host; other findings may be about another host. */
const DEAD = new Set(["dead-rule", "never-matches"]);
const DEFAULT_PORTS = { http: 80, https: 443 };
const key = host => `${host.port} ${host.domain}`;

const words = host => host.passedOn ? "passed on" : plural(host.rules, "rule");

function row(host) {
  return [h("span", null, h("b", null, host.domain), h("span", { class: "sub" }, host.services.join(", "))), h("span", { class: "port num quiet" }, host.port),
    h("span", { class: "rulecount num" }, words(host)), h("span", null, host.marked ? sign("doubt", `${host.marked} doubtful`) : "")];
}

/** A URL of this host, with the scheme of its port. */
function address({ port, domain }) {
  const isTls = known.served.gateways.some(gateway => gateway.servers.some(server => server.port === port && server.tls));
  const scheme = isTls ? "https" : "http";
  return `${scheme}://${domain.replace("*", "any")}${port === DEFAULT_PORTS[scheme] ? "" : `:${port}`}/`;
}

function rule(own, at) {
  const isDead = mark => DEAD.has(mark.code) && !/\.match\[/.test(mark.field);
  const dead = own.cutBy || own.marks.some(isDead);
  const link = `#/findings?text=${encodeURIComponent(`VirtualService ${own.service}`)}`;
  return h("li", null, h("span", { class: "num quiet" }, own.cutBy ? "—" : at + 1), h("div", null,
    h("p", null, own.name && [h("b", null, own.name), " "], h("span", { class: "quiet small" }, `${own.service} http[${own.rule}]${own.root ? `, delegated by ${own.root}` : ""}`)),
    own.blocks.length ? own.blocks.map((block, number) => h("p", { class: dead ? "dead" : "" }, number > 0 && h("span", { class: "quiet" }, "or "), block.length ? block.map((condition, place) => [place > 0 && h("span", { class: "quiet" }, " and "), h("span", { class: "mono" }, condition)]) : "every request"))
      : h("p", { class: dead ? "dead" : "" }, "every request"),
    h("p", { class: "then" }, `→ ${own.action}`),
    own.cutBy && h("p", { class: "small" }, sign("doubt", "Never tried for this host:"), ` ${own.cutBy} takes every request first`),
    own.marks.map(mark => h("p", { class: "small" }, sign("doubt", isDead(mark) ? `Never reached (${mark.code})` : mark.code), " ", mark.message, " ", h("a", { href: link }, "what to do")))));
}

/** Shown for a host without rules. */
function without(host) {
  if (!host.passedOn) return empty("No rules", "Every request gets 404, or the server redirects it to HTTPS.");
  return empty("Passed on", host.words ? `Connections are passed on as a whole to ${host.words}. No HTTP rule applies.` : "Connections are closed, because there is no destination. No HTTP rule applies.");
}

export function hosts(root, params) {
  const filter = h("input", { type: "search", placeholder: "host, VirtualService, path, destination", autocomplete: "off", value: params.get("text") ?? "" });
  const marked = h("input", { type: "checkbox" });
  const sub = h("p", { role: "status" }), body = h("div"), rules = h("div"), gateways = h("div");
  let all = [], turn = -1, chosen = params.get("host");
  const listed = list({ label: "Hosts", kind: "hosts", height: 52, key, row, chosen, choose });
  root.append(h("div", { class: "head" }, h("h1", null, "Hosts and routes"), sub), body);
  const whole = [h("section", null, gateways), h("div", { class: "tools" }, field("Find", filter, { class: "grow" }), h("label", { class: "tick" }, marked, "only hosts with doubtful rules")), h("div", { class: "split" }, h("div", null, listed.element), rules)];

  function choose(host) {
    chosen = key(host);
    history.replaceState(null, "", `#/hosts?host=${encodeURIComponent(chosen)}`);
    show();
    announce(`${host.domain} on port ${host.port}: ${words(host)}`);
  }

  async function show() {
    const host = all.find(own => key(own) === chosen);
    if (!host) return put(rules, h("p", { class: "quiet" }, "Choose a host to see its rules in the order in which they are tried."));
    const own = await ask("rules", host.port, host.domain);
    const why = `#/why?url=${encodeURIComponent(address(host))}`;
    put(rules, h("h2", null, `${host.domain} on port ${host.port}`), h("p", { class: "small" }, h("a", { href: why }, "Explain a request to this host")),
      own.length ? h("ol", { class: "rules rows" }, own.slice(0, 500).map(rule)) : without(host), own.length > 500 && h("p", { class: "quiet" }, `and ${own.length - 500} more`));
  }

  function narrow() {
    const words = filter.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = all.filter(host => (!marked.checked || host.marked) && words.every(word => host.text.includes(word)));
    put(sub, words.length || marked.checked ? `${wanted.length.toLocaleString("en")} of ${plural(all.length, "host")}` : plural(all.length, "host"));
    listed.set(wanted);
  }

  function tree() {
    const all = known.served.gateways;
    return fold("gateways", { open: all.length <= 3 }, h("summary", null, plural(all.length, "Gateway")), h("ul", { class: "rows" }, all.slice(0, 100).map(gateway => h("li", null, h("b", null, gateway.name), h("ul", null, gateway.servers.slice(0, 20).map(server => h("li", { class: "small" },
      server.served ? "" : [sign("doubt", "port not served"), " "], `port ${server.port}${server.bind === server.port ? "" : `, Envoy listens on ${server.bind}`}${server.tls ? ", TLS" : ""}${server.httpsRedirect ? ", redirects to HTTPS" : ""}: `,
      server.hosts.slice(0, 12).join(", "), server.hosts.length > 12 ? ` and ${server.hosts.length - 12} more` : "")))))));
  }

  async function update() {
    if (known.missing) return put(body, empty("The explorer is not available", "This agent was built without the page’s WebAssembly module. scripts/build builds both."));
    if (!known.served) return put(body, known.mode === "agent" ? h("p", { class: "quiet" }, "Reading objects…") : empty("No manifests yet", h("a", { href: "#/overview" }, "Paste some"), " to see the rules of each host."));
    if (turn === known.turn) return;
    turn = known.turn;
    all = (await ask("hosts")).map(host => ({ ...host, text: `${host.domain} ${host.port} ${host.services.join(" ")} ${host.words}`.toLowerCase() }));
    if (!all.length) return put(body, empty("No host is served", "A host needs a Gateway with a server for it, and a VirtualService that names this Gateway."));
    if (!body.contains(listed.element)) body.replaceChildren(...whole);
    put(gateways, tree());
    narrow();
    show();
  }
  filter.addEventListener("input", narrow);
  marked.addEventListener("change", narrow);
  return { update };
}
