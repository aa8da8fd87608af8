// Is it well? The worst first; then how much there is, and what expires next.

import { h, sign, empty, plural, table } from "./dom.js";
import { known, findings } from "./data.js";
import { day, relative } from "./time.js";
import { paster } from "./paste.js";

const WORST = { bad: 0, doubt: 1, wait: 2 };

/** What needs somebody, the worst first. */
export function attention() {
  const status = known.status, items = [];
  const add = (kind, word, what, words, link) => items.push({ kind, word, what, words, link });
  if (known.trouble && known.mode === "agent") add("bad", "No answer", "The agent does not answer", known.trouble);
  if (status) {
    if (!status.source.up) {
      const bad = status.source.watches.filter(watch => watch.state === "failed" || watch.state === "missing");
      add("bad", "Source", "Objects cannot be read, so nothing changes until they can", bad.map(watch => `${watch.name}: ${watch.message ?? watch.state}`).join("; "));
    }
    for (const refusal of status.proxyRefusals) {
      add("bad", "Refused", `${refusal.type} ${refusal.name ?? ""} is refused by ${refusal.node}`, refusal.reason, "#/proxies");
    }
    for (const proxy of status.proxies) {
      if (proxy.state === "behind") add("doubt", "Behind", `Proxy ${proxy.node} has not confirmed everything yet`, "", "#/proxies");
      if (proxy.state === "gone") add("wait", "Gone", `Proxy ${proxy.node} is not connected`, "", "#/proxies");
    }
    if (!status.proxies.some(proxy => proxy.connected)) add("doubt", "No proxy", "No Envoy is connected, so nothing is served", "");
    for (const own of status.credentials) {
      const link = `#/certificates?name=${encodeURIComponent(own.name)}`;
      if (own.daysLeft != null && own.daysLeft < 0 && own.served) add("bad", "Expired", own.name, `expired ${relative(own.notAfter)}`, link);
      else if (own.warnings.includes("expires-soon")) add("doubt", "Expires", own.name, `expires ${relative(own.notAfter)}`, link);
      if (own.state === "refused") add("bad", "Refused", `Certificate ${own.name}${own.served ? ": the last good version is served on" : " is not served"}`, own.message ?? own.reason, link);
      if (own.state === "pending") add("doubt", "Missing", `Certificate ${own.name}`, own.message ?? own.reason ?? "", link);
    }
  }
  const errors = findings().filter(one => one.severity === "error");
  const objects = new Map();
  for (const one of errors) objects.set(one.object, [...(objects.get(one.object) ?? []), one]);
  for (const [object, own] of objects) {
    add("bad", plural(own.length, "error"), object, `${own[0].field ? `${own[0].field}: ` : ""}${own[0].message}`, `#/findings?text=${encodeURIComponent(object)}`);
  }
  return items.sort((a, b) => WORST[a.kind] - WORST[b.kind]);
}

const MOST = 12;

function worst(items) {
  if (!items.length) return h("p", null, sign("good", "Nothing needs you"));
  return [h("ul", { class: "rows worst" }, items.slice(0, MOST).map(item => h("li", null, sign(item.kind, item.word),
    h("div", { class: "what" }, item.link ? h("a", { href: item.link }, item.what) : item.what, item.words && h("p", { class: "words small" }, item.words))))),
  items.length > MOST && h("p", { class: "quiet small" }, `and ${plural(items.length - MOST, "more")}, under Findings, Certificates and Proxies`)];
}

const fact = (name, value, rest) => h("div", null, h("dt", null, name), h("dd", null, typeof value === "number" ? value.toLocaleString("en") : value, rest && h("small", null, rest)));

function facts() {
  const { status, served } = known, all = [];
  if (status) {
    const count = state => status.proxies.filter(proxy => proxy.state === state).length;
    const others = ["behind", "refused", "gone"].filter(count).map(state => `${count(state)} ${state}`);
    all.push(fact("Proxies", status.proxies.filter(proxy => proxy.connected).length, [count("current") ? `${count("current")} current` : null, ...others].filter(Boolean).join(", ") || "none connected"));
    all.push(fact("Certificates", status.credentials.filter(own => own.served).length, `of ${status.credentials.length}`));
  }
  if (served) {
    const ports = new Set(served.gateways.flatMap(gateway => gateway.servers).filter(server => server.served).map(server => server.port));
    all.push(fact("Listeners", ports.size, ports.size ? `port ${[...ports].sort((a, b) => a - b).join(", ")}` : "no port is served"));
    all.push(fact("Hosts", served.summary.hosts), fact("Rules", served.summary.rules, `of ${plural(served.summary.objects.VirtualService ?? 0, "VirtualService")}`));
  }
  const said = findings();
  all.push(fact("Findings", said.length, `${plural(said.filter(one => one.severity === "error").length, "error")}`));
  return h("dl", { class: "facts" }, all);
}

function expiring() {
  const dated = known.status.credentials.filter(own => own.notAfter).sort((a, b) => a.notAfter < b.notAfter ? -1 : 1).slice(0, 6);
  if (!dated.length) return empty("No certificate yet", "A Gateway’s server names one in tls.credentialName; its Secret has tls.crt and tls.key.");
  return table("Certificates that expire next", ["Certificate", "Expires", "Names"], dated.map(own => [
    h("a", { href: `#/certificates?name=${encodeURIComponent(own.name)}` }, own.name),
    h("span", { title: own.notAfter, class: "num" }, `${day(own.notAfter)}, ${relative(own.notAfter)}`), own.dnsNames.slice(0, 3).join(", ") || own.subjects[0] || ""]));
}

function gateways() {
  const all = known.served?.gateways ?? [];
  if (!all.length) return empty("No Gateway is served", "A Gateway is this gateway’s if its selector has only labels that this gateway has (--gateway-labels).");
  const rows = all.flatMap(gateway => gateway.servers.map(server => [gateway.name, h("span", { class: "num" }, `${server.port}${server.tls ? ", TLS" : ""}${server.httpsRedirect ? ", redirects to HTTPS" : ""}`),
    `${server.hosts.slice(0, 4).join(", ")}${server.hosts.length > 4 ? ` and ${server.hosts.length - 4} more` : ""}`, server.credentials.join(", ") || "—"]));
  return [table("Servers of Gateways", ["Gateway", "Port", "Hosts", "Certificate"], rows.slice(0, 50)), rows.length > 50 && h("p", { class: "quiet small" }, `and ${rows.length - 50} more servers`)];
}

export function overview(root) {
  const title = h("h1"), sub = h("p"), paste = h("div"), body = h("div");
  root.append(h("div", { class: "head" }, title, sub), paste, body);
  let pasting = null;
  return {
    update() {
      const isAgent = known.mode === "agent";
      if (!isAgent && !pasting) { pasting = paster(); paste.append(pasting); }
      const nothing = !isAgent && !known.served;
      const items = attention();
      const bad = items.filter(item => item.kind === "bad").length;
      title.textContent = nothing ? "Paste manifests, see what a gateway would make of them" : bad ? `${plural(bad, "thing")} to fix`
        : items.length ? `Serving, with ${plural(items.length, "thing")} to look at` : isAgent ? "All is well" : "These manifests are fine";
      sub.textContent = isAgent && known.status ? (known.status.synced ? `${plural(known.status.publications, "change")} published` : "Still reading objects") : "";
      if (nothing) return body.replaceChildren();
      body.replaceChildren(
        h("section", { "aria-label": "What needs attention" }, worst(items)),
        h("section", { "aria-label": "How much there is" }, facts()),
        isAgent ? h("section", null, h("h2", null, "Expires next"), expiring()) : "",
        h("section", null, h("h2", null, "Gateways"), known.missing && isAgent
          ? table("Servers of Gateways", ["Gateway", "Servers"], known.status.gateways.map(own => [own.name, own.servers.join(", ")])) : gateways()));
    },
  };
}
