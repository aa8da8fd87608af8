// Why a request goes where it goes, and what an edit would change.

import { h, put, sign, empty, field, plural, announce } from "./dom.js";
import { known } from "./data.js";
import { ask } from "./explorer.js";
import { findingLine } from "./findings.js";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** `outbound|PORT|SUBSET|HOST` as people write it. */
function destination(cluster) {
  const parts = cluster.split("|");
  return parts.length === 4 ? `${parts[3]}:${parts[1]}${parts[2] ? ` subset ${parts[2]}` : ""}` : cluster;
}

/** The decision in one line. */
export function sentence({ explanation: { decision } }) {
  switch (decision.type) {
    case "route": return `It goes to ${destination(decision.cluster)}`;
    case "redirect": return `It is redirected with ${decision.status} to ${decision.location}`;
    case "directResponse": return `It is answered directly with ${decision.status}`;
    case "connection": return decision.clusters.length ? `Its connection is passed on as a whole to ${decision.clusters.map(to => destination(to.name)).join(" or ")}` : "Its connection is closed";
    case "notFound": return `It is answered with 404: ${decision.reason === "host" ? "no virtual host matches this name" : "no rule of this host matches"}`;
    default: return `It fails${decision.status ? ` with ${decision.status}` : ""}: ${decision.reason}`;
  }
}

const rulePlace = (service, rule, name, block) => `${service} http[${rule}]${block == null ? "" : `.match[${block}]`}${name ? ` “${name}”` : ""}`;

function hostStep({ explanation, port }, url) {
  const { host } = explanation;
  if (explanation.decision.type === "connection") return [h("h3", null, `Port ${port}, filter chain ${explanation.decision.filterChain}`), h("p", null, "Connections of this server are passed on as a whole. No HTTP rule applies.")];
  if (host === undefined) return null;
  if (!host) return [h("h3", null, "No virtual host"), h("p", null, `No virtual host on port ${port} matches the name in ${url}.`)];
  const how = { exact: "is the exact name of a virtual host", wildcard: `matches ${host.domain}, and no exact name or longer wildcard`, any: "matches *, and no exact name or wildcard" }[host.by];
  return [h("h3", null, `Host ${host.name}`), h("p", null, `On port ${port}, it ${how}.`, host.httpsRedirect ? " Its server redirects to HTTPS before any rule." : "")];
}

const MOST = 200;

function triedStep({ explanation: { earlier } }) {
  if (!earlier?.length) return null;
  // Of thousands, the last ones are the most useful: they are nearest to the decision.
  const shown = earlier.slice(-MOST);
  return [h("h3", null, `${plural(earlier.length, "block")} did not match`), shown.length < earlier.length && h("p", { class: "quiet small" }, `The last ${MOST} of them, nearest to the decision:`),
    h("ul", { class: "tried" }, shown.map(trial => h("li", null, h("span", { class: "small" }, rulePlace(trial.virtualService, trial.rule, trial.ruleName, trial.match)),
      h("span", { class: "why" }, sign("bad", ""), h("span", { class: "mono" }, trial.message)))))];
}

function decidedStep({ explanation: { matched, decision } }) {
  if (matched) return [h("h3", null, rulePlace(matched.virtualService, matched.rule, matched.ruleName, matched.match)), h("p", null, sign("good", matched.match == null ? "it matches every request" : "all conditions match"), matched.root ? ` delegated by ${matched.root.virtualService} http[${matched.root.rule}]` : "")];
  if (decision.type === "connection") return null;
  return [h("h3", null, decision.type === "notFound" ? "No rule decides" : "Decided before any rule"), h("p", null, decision.type === "notFound" ? "Requests that match no rule are answered with 404." : "Envoy or the Gateway’s server answers it.")];
}

/** The decision's fields that are not shown elsewhere. */
function rest(decision) {
  const rows = [];
  const walk = (path, value) => {
    if (value == null || value === "" || (Array.isArray(value) && !value.length)) return;
    if (Array.isArray(value)) value.forEach((item, at) => Array.isArray(item) ? rows.push([path, item.join(": ")]) : typeof item === "object" ? walk(value.length > 1 ? `${path} ${at + 1}` : path, item) : rows.push([path, String(item)]));
    else if (typeof value === "object") Object.entries(value).forEach(([name, own]) => walk(path ? `${path} ${words(name)}` : words(name), own));
    else rows.push([path, String(value)]);
  };
  const { type, requestHeaders, clusters, filterChain, destinations, mirrors, ...own } = decision;
  const shares = clusters ?? (destinations?.length > 1 ? destinations : []);
  const total = shares.reduce((sum, to) => sum + to.weight, 0);
  for (const to of shares) rows.push([clusters ? "destination" : "one of", `${destination(to.name ?? to.cluster)}, ${to.weight} of ${total}`]);
  for (const to of mirrors ?? []) rows.push(["mirrored to", `${destination(to.cluster)}, ${to.percent} %`]);
  walk("", own);
  return rows;
}
const words = name => name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`).replace(/ ms$/, " (ms)");

function doneStep({ explanation: { decision, grpc } }) {
  const rows = [...rest(decision), ...(grpc ? [["gRPC status", `${grpc.status} ${grpc.message ?? ""}`]] : [])];
  return [h("h3", null, "What happens"), h("dl", { class: "pairs" }, rows.map(([name, value]) => [h("dt", null, name), h("dd", { class: "mono" }, value)]))];
}

const FATES = { sent: "as sent", set: "set by the rule", added: "added by the rule", removed: "removed by the rule", dropped: "dropped: only the gateway may set it", identity: "from the client’s certificate" };

function headersStep({ headers, explanation: { identity } }) {
  if (!headers) return null;
  return [h("h3", null, "Headers that the upstream sees"), headers.length ? h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Headers" }, h("table", null, h("caption", { class: "unseen" }, "Headers that the upstream sees"), h("thead", null, h("tr", null, ["Name", "Value", "Why"].map(head => h("th", { scope: "col" }, head)))),
    h("tbody", null, headers.map(({ name, value, fate }) => { const gone = fate === "removed" || fate === "dropped" ? "gone" : "";
      return h("tr", null, h("td", { class: `mono ${gone}` }, name), h("td", { class: `mono ${gone}` }, value), h("td", { class: "small quiet" }, FATES[fate])); })))) : h("p", { class: "quiet" }, "None from the client or a rule. Envoy adds its own, such as x-request-id."),
    identity && h("p", { class: "small quiet" }, `Client certificate: ${identity.by}.${identity.leftOut.length ? ` Left out, because the headers would be too large: ${identity.leftOut.join(", ")}.` : ""}`)];
}

function answerOf(answer, url) {
  const decided = decidedStep(answer);
  const steps = [[hostStep(answer, url)], [triedStep(answer)], [decided, "decided"], [doneStep(answer)], [headersStep(answer)]].filter(([step]) => step);
  return [h("div", { class: `verdict ${answer.isFound ? "" : "bad"}`, id: "verdict" }, h("h2", null, sentence(answer)), h("p", { class: "quiet small" }, `Answered in ${answer.took < .1 ? "less than 0.1" : answer.took.toFixed(1)} ms by the filter’s own code.`, answer.path && !url.endsWith(answer.path) ? [" Rules see the path ", h("code", null, answer.path)] : "")),
    h("ol", { class: "steps" }, steps.map(([step, kind]) => h("li", { class: kind }, step)))];
}

export function why(root, params) {
  const method = h("select", null, METHODS.map(name => h("option", null, name)));
  const url = h("input", { type: "text", inputmode: "url", placeholder: "https://www.shop.example/cart?item=1", autocomplete: "off", spellcheck: "false", id: "url" });
  const http = h("select", null, h("option", { value: "" }, "HTTP/1.1"), h("option", { value: "2" }, "HTTP/2"));
  const headers = h("textarea", { rows: 3, placeholder: "x-beta: yes", spellcheck: "false" });
  const certificate = h("textarea", { rows: 4, placeholder: "-----BEGIN CERTIFICATE-----", spellcheck: "false" });
  const client = h("details", null, h("summary", null, "Client certificate"), field("PEM, the client’s own certificate first, without its key", certificate));
  const result = h("div");
  const share = h("button", { type: "button", onclick: copy }, "Copy a link");
  const form = h("form", { onsubmit: event => { event.preventDefault(); remember(); show(true); } },
    h("div", { class: "tools" }, field("Method", method), field("URL, with the Gateway’s port if it is not the scheme’s default", url, { class: "grow" }), field("Protocol", http), h("button", { class: "main", id: "ask" }, "Explain"), share),
    h("div", { class: "split side" }, field("Headers, one per line", headers), client));
  const choices = h("datalist", { id: "objects" }), object = h("input", { id: "object", list: "objects", autocomplete: "off", spellcheck: "false", placeholder: "VirtualService namespace/name" }), text = h("textarea", { rows: 18, spellcheck: "false", "aria-label": "Edited manifests", id: "edited" });
  const changes = h("div");
  let removed = [], tried = false, names = [], told = null;
  const whatIf = h("details", null, h("summary", null, "What if: edit manifests and see what changes"),
    h("div", { class: "split" }, h("div", null, h("div", { class: "tools" }, field("Object", object, { class: "grow" }), choices, h("button", { type: "button", onclick: load }, "Edit it"), h("button", { type: "button", onclick: remove }, "Remove it")),
      field("Edited or additional manifests; they stay in this browser", text), h("div", { class: "tools" }, h("button", { type: "button", class: "main", onclick: () => tryIt(true), id: "try" }, "See what changes"), h("button", { type: "button", onclick: reset }, "Start over"))), changes));
  const body = h("div");
  root.append(h("div", { class: "head" }, h("h1", null, "Why"), h("p", null, "Where a request goes, and why.")), body);
  const whole = [h("section", null, form), h("section", null, result), h("section", null, whatIf)];

  const request = () => ({ url: url.value.trim(), method: method.value, http2: http.value === "2", headers: headers.value, certificate: certificate.value });
  function write(from) {
    method.value = METHODS.includes(from.get("method")) ? from.get("method") : "GET";
    url.value = from.get("url") ?? url.value;
    http.value = from.get("http") ?? "";
    headers.value = from.getAll("header").join("\n");
  }
  /** Does not contain the certificate and the edits. */
  function link() {
    const to = new URLSearchParams({ url: url.value.trim() });
    if (method.value !== "GET") to.set("method", method.value);
    if (http.value) to.set("http", http.value);
    headers.value.split("\n").map(line => line.trim()).filter(Boolean).forEach(line => to.append("header", line));
    return `#/why?${to}`;
  }
  function remember() { history.replaceState(null, "", link()); }
  async function copy() {
    remember();
    const done = await navigator.clipboard?.writeText(location.href).then(() => true, () => false);
    share.textContent = done ? "Copied" : "The link is in the address bar";
    announce(share.textContent);
    setTimeout(() => { share.textContent = "Copy a link"; }, 2500);
  }

  async function show(isNew) {
    if (!url.value.trim()) return put(result, empty("Ask about a request", "Enter a URL whose host a Gateway serves. The answer shows each rule that was tried, the condition that failed, and what the upstream gets."));
    try {
      const answer = await ask("ask", request(), false);
      put(result, answerOf(answer, url.value.trim()));
      const decided = answer.explanation.matched?.virtualService;
      if (decided && !whatIf.open) object.value = `VirtualService ${decided}`;
      const now = sentence(answer);
      if (isNew || told && told !== now) announce(now);
      told = now;
      if (tried) tryIt(false);
    } catch (error) {
      put(result, h("p", { class: "notice bad", role: "alert" }, error.message));
    }
  }

  /** With ten thousand options, a browser would show none. */
  function narrow() {
    const text = object.value.trim().toLowerCase();
    put(choices, names.filter(name => name.toLowerCase().includes(text)).slice(0, 30).map(value => h("option", { value })));
  }
  object.addEventListener("input", narrow);

  async function load() {
    let own;
    try {
      own = await ask("object", object.value.trim());
    } catch (error) {
      return put(changes, h("p", { class: "notice bad", role: "alert" }, error.message));
    }
    text.value = text.value.trim() ? `${text.value.trim()}\n---\n${own}` : own;
    text.focus();
  }
  function remove() {
    const name = object.value.trim();
    if (!names.includes(name)) return put(changes, h("p", { class: "notice bad", role: "alert" }, `there is no ${name || "such object"}`));
    if (!removed.includes(name)) removed.push(name);
    tryIt(true);
  }
  function reset() { removed = []; text.value = ""; tried = false; changes.replaceChildren(); }

  async function tryIt(isNew) {
    tried = true;
    try {
      const said = await ask("edit", text.value, removed);
      const parts = [removed.length ? h("p", { class: "small" }, `Removed: ${removed.join(", ")}`) : ""];
      if (url.value.trim()) {
        const [before, after] = [await ask("ask", request(), false), await ask("ask", request(), true)];
        const [was, is] = [sentence(before), sentence(after)];
        const same = JSON.stringify({ ...before, took: 0 }) === JSON.stringify({ ...after, took: 0 });
        parts.push(h("h3", null, "This request"), was === is ? h("p", null, is, ". ", h("span", { class: "same" }, same ? "Nothing changes for it." : "The outcome is the same, but the details change:")) : [h("p", null, h("del", null, was)), h("p", null, h("ins", null, is))],
          same ? "" : h("ol", { class: "steps" }, [triedStep(after), decidedStep(after), doneStep(after), headersStep(after)].filter(Boolean).map(step => h("li", null, step))));
        if (isNew) announce(was === is ? "Nothing changes for this request" : `After the edit: ${is}`);
      }
      const block = (title, all) => all.length ? [h("h3", null, title), all.map(one => findingLine(one))] : "";
      parts.push(block("New findings", said.new), block("Findings that disappear", said.gone), said.new.length + said.gone.length ? "" : h("p", { class: "quiet" }, "No findings appear or disappear."),
        known.mode === "agent" && !said.secrets ? "" : h("p", { class: "quiet small" }, "No certificates are read here: warnings that depend on one, such as unusable-suites, are missing."));
      put(changes, parts);
    } catch (error) {
      put(changes, h("p", { class: "notice bad", role: "alert" }, error.message));
    }
  }

  let turn = -1;
  write(params);
  return {
    params(now) { write(now); turn = -1; this.update(); },
    async update() {
      if (known.missing) return put(body, empty("The explorer is not available", "This agent was built without the page’s WebAssembly module. scripts/build builds both. sealgate explain gives the same answers on the command line."));
      if (!known.served) return put(body, known.mode === "agent" ? h("p", { class: "quiet" }, "Reading objects…") : empty("No manifests yet", h("a", { href: "#/overview" }, "Paste some"), " first."));
      if (turn === known.turn) return;
      turn = known.turn;
      if (!body.contains(form)) body.replaceChildren(...whole);
      names = await ask("names");
      narrow();
      show(false);
    },
  };
}
