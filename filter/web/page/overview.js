// What needs attention, the worst first; then totals, and what expires next.

import { h, put, sign, empty, plural, table } from "./dom.js";
import { known, findings } from "./data.js";
import { fullBudgets, lag, standing, warningText, warnings } from "./standing.js";
import { day, relative } from "./time.js";
import { paster } from "./paste.js";

const WORST = { bad: 0, doubt: 1, wait: 2 };

const capital = word => word[0].toUpperCase() + word.slice(1);
const item = (kind, word, what, words, link) => ({ kind, word, what, words, link });

/** `a`, `a and b`, or the first two and how many more. */
function names(all) {
  const shown = all.slice(0, all.length > 3 ? 2 : 3), rest = all.length - shown.length;
  return new Intl.ListFormat("en").format(rest ? [...shown, `${rest} more`] : shown);
}

function sourceItems({ synced, source }) {
  const failed = source.watches.filter(watch => watch.state === "failed");
  return [
    failed.length && item("bad", "Source", `The agent cannot read ${names(failed.map(watch => watch.name))}, so changes there have no effect`,
      failed.slice(0, 5).map(watch => `${watch.name}: ${watch.message ?? watch.state}`).join("; ")),
    (!synced || !source.up && !failed.length) && item("doubt", "Reading", "The agent is still reading objects", "Until it has read all of them, it may not serve everything."),
  ].filter(Boolean);
}

function proxyItem(proxy, { credentials, proxyRefusals }) {
  const { node, state } = proxy;
  // Each rejected resource has its own item.
  if (state === "refused" && !proxyRefusals.some(own => own.node === node)) return item("bad", "Refused", `Proxy ${node} rejects what it was sent`, "", "#/proxies");
  if (!proxy.connected) return item("wait", "Gone", `Proxy ${node} is not connected`, proxy.since ? `Disconnected ${relative(proxy.since)}` : "", "#/proxies");
  const behind = state === "current" ? 0 : lag(proxy, credentials);
  return behind > 0 && item("doubt", "Behind", `Proxy ${node} has not confirmed ${plural(behind, "certificate")} for more than 30 s`, "", "#/proxies");
}

function proxyItems(status) {
  const refusals = status.proxyRefusals.map(own => item("bad", "Refused", `${own.node} rejects ${own.type} ${own.name ?? ""}`, own.reason, "#/proxies"));
  const none = !status.proxies.some(proxy => proxy.connected) && item("bad", "No proxy", "No Envoy is connected, so nothing is served", "Start one with the bootstrap that sealgate bootstrap prints.");
  return [...refusals, none, ...status.proxies.map(proxy => proxyItem(proxy, status))].filter(Boolean);
}

function credentialItem(own) {
  const [kind, word] = standing(own), name = `${own.kind === "trustBundle" ? "Trust bundle" : "Certificate"} ${own.name}`;
  const made = (kind, what, words) => item(kind, capital(word), what, words ?? "", `#/certificates?name=${encodeURIComponent(own.name)}`);
  const why = own.message ?? own.reason;
  if (own.state === "refused") return made("bad", `${name}: ${own.served ? "the last good version is served" : "nothing is served"}`, why);
  if (own.state === "pending" && !own.served) return made("doubt", name, why);
  if (word === "kept") return made("doubt", `${name}: the stored version is served`, why);
  const codes = warnings(own);
  return codes.length > 0 && made(kind, name, codes.map(code => warningText(own, code)).join("; "));
}

function budgetItem({ namespace, resource, used, limit, percent }) {
  return item("doubt", "Budget", `Namespace ${namespace} uses ${percent} % of its ${resource}`, `${used.toLocaleString("en")} of ${limit.toLocaleString("en")}`, "#/findings?text=budget");
}

function errorItems(said) {
  const objects = new Map();
  for (const one of said) objects.set(one.object, [...(objects.get(one.object) ?? []), one]);
  return [...objects].map(([object, own]) => item("bad", plural(own.length, "error"), object, `${own[0].field ? `${own[0].field}: ` : ""}${own[0].message}`, `#/findings?text=${encodeURIComponent(object)}`));
}

/** What needs attention, the worst first. */
export function attention() {
  const { status, trouble } = known;
  const items = [
    ...trouble && known.mode === "agent" ? [item("bad", "No answer", "The agent does not answer", trouble)] : [],
    ...status ? [sourceItems(status), proxyItems(status), status.credentials.map(credentialItem), fullBudgets(status.budgets).map(budgetItem)].flat().filter(Boolean) : [],
    ...errorItems(findings().filter(one => one.severity === "error")),
  ];
  return items.sort((a, b) => WORST[a.kind] - WORST[b.kind]);
}

const MOST = 12;

function worst(items) {
  if (!items.length) return h("p", null, sign("good", "Nothing needs your attention"));
  return [h("ul", { class: "rows worst" }, items.slice(0, MOST).map(item => h("li", null, sign(item.kind, item.word),
    h("div", { class: "what" }, item.link ? h("a", { href: item.link }, item.what) : item.what, item.words && h("p", { class: "words small" }, item.words))))),
  items.length > MOST && h("p", { class: "quiet small" }, `and ${items.length - MOST} more, under Findings, Certificates and Proxies`)];
}

const fact = (name, value, rest) => h("div", null, h("dt", null, name), h("dd", null, typeof value === "number" ? value.toLocaleString("en") : value, rest && h("small", null, rest)));

function facts() {
  const { status, served } = known, all = [];
  if (status) {
    const count = state => status.proxies.filter(proxy => proxy.state === state).length;
    const others = ["behind", "refused", "gone"].filter(count).map(state => `${count(state)} ${state}`);
    all.push(fact("Proxies", status.proxies.filter(proxy => proxy.connected).length, [count("current") ? `${count("current")} current` : null, ...others].filter(Boolean).join(", ") || "none connected"));
    all.push(fact("Certificates", status.credentials.filter(own => own.served).length, `served, of ${status.credentials.length}`));
  }
  if (served) {
    const ports = new Set(served.gateways.flatMap(gateway => gateway.servers).filter(server => server.served).map(server => server.port));
    all.push(fact("Listeners", ports.size, ports.size ? `port ${[...ports].sort((a, b) => a - b).join(", ")}` : "no port is served"));
    all.push(fact("Hosts", served.summary.hosts), fact("Rules", served.summary.rules, `in ${plural(served.summary.objects.VirtualService ?? 0, "VirtualService")}`));
  }
  const said = findings();
  all.push(fact("Findings", said.length, `${plural(said.filter(one => one.severity === "error").length, "error")}`));
  return h("dl", { class: "facts" }, all);
}

function expiring() {
  // Certificates with warnings come first: a CRL may expire before its certificate.
  const isQuiet = own => warnings(own).length === 0;
  const dated = known.status.credentials.filter(own => own.served && own.notAfter).sort((a, b) => isQuiet(a) - isQuiet(b) || (a.notAfter < b.notAfter ? -1 : 1)).slice(0, 6);
  if (!dated.length) return empty("No certificates yet", "A server of a Gateway names a certificate in tls.credentialName. The Secret has tls.crt and tls.key.");
  return table("Certificates that expire next", ["Certificate", "Expires", "Names"], dated.map(own => [
    h("a", { href: `#/certificates?name=${encodeURIComponent(own.name)}` }, own.name),
    h("span", { title: own.notAfter, class: "num" }, `${day(own.notAfter)}, ${relative(own.notAfter)}`), own.dnsNames.slice(0, 3).join(", ") || own.subjects[0] || ""]));
}

function gateways() {
  const all = known.served?.gateways ?? [];
  if (!all.length) return empty("No Gateway is served", "This gateway serves a Gateway if it has all the labels in the Gateway’s selector (--gateway-labels).");
  const rows = all.flatMap(gateway => gateway.servers.map(server => [gateway.name, h("span", { class: "num" }, `${server.port}${server.tls ? ", TLS" : ""}${server.httpsRedirect ? ", redirects to HTTPS" : ""}`),
    `${server.hosts.slice(0, 4).join(", ")}${server.hosts.length > 4 ? ` and ${server.hosts.length - 4} more` : ""}`, server.credentials.join(", ") || "—"]));
  return [table("Servers of Gateways", ["Gateway", "Port", "Hosts", "Certificate"], rows.slice(0, 50)), rows.length > 50 && h("p", { class: "quiet small" }, `and ${rows.length - 50} more servers`)];
}

/** The title: whether all is well. */
function verdict(items) {
  const count = kind => items.filter(item => item.kind === kind).length;
  const isAgent = known.mode === "agent";
  if (!isAgent && !known.served) return "Paste manifests to see what a gateway would serve";
  if (count("bad")) return `${plural(count("bad"), "problem")} to fix`;
  if (isAgent && !known.status.synced) return "The agent is still reading objects";
  if (count("doubt")) return `Serving, with ${plural(count("doubt"), "item")} to check`;
  return isAgent ? "All is well" : "No problems in these manifests";
}

export function overview(root) {
  const title = h("h1"), sub = h("p"), paste = h("div"), body = h("div");
  const attended = h("section", { "aria-label": "What needs attention" }), counted = h("section", { "aria-label": "Totals" });
  const dated = h("section"), served = h("section");
  root.append(h("div", { class: "head" }, title, sub), paste, body);
  let pasting = null;
  return {
    update() {
      const isAgent = known.mode === "agent";
      if (!isAgent && !pasting) { pasting = paster(); paste.append(pasting); }
      const items = attention();
      put(title, verdict(items));
      put(sub, isAgent && known.status.synced && `${plural(known.status.publications, "change")} published`);
      if (!isAgent && !known.served) return body.replaceChildren();
      put(attended, worst(items));
      put(counted, facts());
      if (isAgent) put(dated, h("h2", null, "Expires next"), expiring());
      put(served, h("h2", null, "Gateways"), known.missing && isAgent
        ? table("Servers of Gateways", ["Gateway", "Servers"], known.status.gateways.map(own => [own.name, own.servers.join(", ")])) : gateways());
      put(body, attended, counted, isAgent && dated, served);
    },
  };
}
