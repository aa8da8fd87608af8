// The certificates, when they expire, and which proxy has which version.

import { h, s, put, sign, empty, plural, table, field, announce } from "./dom.js";
import { known } from "./data.js";
import { list } from "./list.js";
import { standing, warningText, warnings } from "./standing.js";
import { day, relative, milliseconds } from "./time.js";

const DAY = 86_400_000;

const RANK = { bad: 0, doubt: 1, wait: 2, good: 3 };

/** The range that all time lines share: from a month ago to when most certificates expire. */
function scale(all) {
  const ends = all.map(own => Date.parse(own.notAfter)).filter(Number.isFinite).sort((a, b) => a - b);
  const end = ends[Math.floor((ends.length - 1) * 0.95)] ?? Date.now() + 90 * DAY;
  const from = Date.now() - 30 * DAY, to = Math.max(end, Date.now() + 60 * DAY) + 5 * DAY;
  // Rounded to what is visible: otherwise, every line would change at each redraw.
  return { from, to, x: time => Number(Math.min(100, Math.max(0, (time - from) / (to - from) * 100)).toFixed(2)) };
}

function line(own, { x }, kind) {
  if (!own.notAfter) return h("span", { class: "quiet time" }, "—");
  const now = x(Date.now()), begins = x(Date.parse(own.notBefore)), ends = x(Date.parse(own.notAfter));
  const label = `valid from ${day(own.notBefore)} to ${day(own.notAfter)}`;
  const at = (value, attributes) => s("line", { x1: `${value}%`, x2: `${value}%`, ...attributes });
  return h("span", { class: "time" }, s("svg", { class: `life ${kind}`, role: "img", "aria-label": label },
    s("rect", { class: "span", x: `${begins}%`, width: `${Math.max(.5, ends - begins)}%`, y: 9, height: 8, rx: 2 }),
    ends > now && s("rect", { class: "left", x: `${Math.max(now, begins)}%`, width: `${Math.max(.5, ends - Math.max(now, begins))}%`, y: 9, height: 8, rx: 2 }),
    warned(own) && at(x(warned(own)), { class: "warned", y1: 5, y2: 21 }),
    at(now, { class: "now", y1: 2, y2: 24 })));
}

/** When the agent starts to warn: in the last tenth of the lifetime, at most 30 days before the end. */
function warned(own) {
  const [from, to] = [Date.parse(own.notBefore), Date.parse(own.notAfter)];
  return Number.isFinite(to) ? to - Math.min(30 * DAY, (to - from) / 10) : null;
}

function holders(own) {
  if (!own.proxies.length) return "no proxy";
  const current = own.proxies.filter(proxy => proxy.state === "current").length;
  return `${current} of ${own.proxies.length} current`;
}

function row(own, range) {
  const [kind, word] = standing(own);
  return [h("span", { class: "state" }, sign(kind, word)),
    h("span", { class: "who" }, h("b", null, own.name), h("span", { class: "sub" }, own.dnsNames.join(", ") || own.subjects.join(", ") || own.message || "")),
    line(own, range, kind), h("span", { class: "days num" }, own.notAfter ? relative(own.notAfter) : "—"), h("span", { class: "held quiet" }, holders(own))];
}

const HELD = { current: "good", behind: "doubt", refused: "bad", gone: "wait" };

function details(own) {
  const pair = (name, value) => value == null || value === "" ? [] : [h("dt", null, name), h("dd", null, value)];
  const [kind, word] = standing(own);
  return h("div", { class: "panel" }, h("h2", null, own.name), h("p", null, sign(kind, word), own.served && own.state !== "ready" && (own.state === "refused" ? ", the last good version is served" : ", the stored version is served")),
    own.message && h("p", { class: "notice" }, own.message),
    h("dl", { class: "pairs" },
      pair("Names", own.dnsNames.join(", ")), pair(own.subjects.length > 1 ? "Authorities" : "Subject", own.subjects.join("; ")), pair("Issuer", own.issuer), pair("Key", own.keyType),
      pair("Valid", own.notAfter && `${day(own.notBefore)} to ${day(own.notAfter)}, ${Date.parse(own.notAfter) > Date.now() ? "expires" : "expired"} ${relative(own.notAfter)}`),
      pair("Warnings", warnings(own).map(code => warningText(own, code)).join("; ")), pair("Serial", own.serial && h("code", null, own.serial)),
      pair("SHA-256", own.sha256 && h("code", null, own.sha256)), pair("Version", own.version && h("code", null, own.version.slice(0, 16))),
      pair("Last rotated", own.lastRotated && h("span", { title: own.lastRotated }, relative(own.lastRotated))),
      pair("Slowest proxy", own.rotationMs == null ? null : milliseconds(own.rotationMs))),
    h("h3", null, "Proxies"),
    own.proxies.length ? table("Proxies that use it", ["Proxy", "State", "Version"], own.proxies.map(proxy => [proxy.node, [sign(HELD[proxy.state], proxy.state), proxy.refused && h("p", { class: "small" }, proxy.refused)],
      proxy.version ? h("code", null, proxy.version.slice(0, 16)) : "none"])) : h("p", { class: "quiet" }, "No proxy asks for it."));
}

/** How long rotations took since the agent started. */
function distribution({ buckets }) {
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  if (!total) return null;
  const last = buckets.findLastIndex(bucket => bucket.count), first = buckets.findIndex(bucket => bucket.count);
  const seen = buckets.slice(Math.max(0, first - 1), last + 2);
  const most = Math.max(...seen.map(bucket => bucket.count)), width = 480 / seen.length;
  const name = bucket => bucket.atMostSeconds == null ? "longer" : milliseconds(bucket.atMostSeconds * 1000);
  return h("figure", null, h("figcaption", null, `${plural(total, "rotation")} since the agent started, by duration (upper bound)`),
    s("svg", { class: "plot", viewBox: "0 0 480 150", role: "img", "aria-label": seen.filter(bucket => bucket.count).map(bucket => `at most ${name(bucket)}: ${bucket.count}`).join(", ") },
      s("line", { class: "grid", x1: 0, x2: 480, y1: 125, y2: 125 }),
      seen.map((bucket, at) => [s("rect", { class: "bar-mark", x: at * width + 3, width: Math.max(2, width - 6), y: 125 - bucket.count / most * 100, height: bucket.count / most * 100 }),
        bucket.count && s("text", { x: (at + .5) * width, y: 120 - bucket.count / most * 100, "text-anchor": "middle" }, bucket.count),
        (bucket.count || seen.length < 10) && s("text", { class: seen.length < 10 ? null : "tiny", x: (at + .5) * width, y: 143, "text-anchor": "middle" }, name(bucket).replace(" ", seen.length < 10 ? " " : ""))].filter(Boolean))));
}

/** The last rotation of each certificate: when, and how long it took. */
function overTime(all) {
  const turned = all.filter(own => own.lastRotated && own.rotationMs != null).map(own => ({ own, at: Date.parse(own.lastRotated), ms: Math.max(.1, own.rotationMs) })).sort((a, b) => a.at - b.at);
  if (!turned.length) return null;
  const times = turned.map(one => one.at), low = Math.min(...times), high = Math.max(...times, low + 60_000);
  const most = Math.max(...turned.map(one => one.ms), 10), least = 10 ** Math.floor(Math.log10(Math.min(...turned.map(one => one.ms))));
  const y = ms => 122 - Math.log10(ms / least) / Math.log10(most / least) * 105;
  const x = at => 50 + (at - low) / (high - low) * 415;
  const ticks = [1, 10, 100, 1000, 10_000, 100_000].filter(ms => ms >= least && ms <= most * 1.01);
  const clock = at => new Date(at).toLocaleString("en-GB", high - low > 2 * DAY ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return h("figure", null, h("figcaption", null, "The last rotation of each certificate: when it was, and how long it took"),
    s("svg", { class: "plot", viewBox: "0 0 480 150", role: "img", "aria-label": `${plural(turned.length, "certificate")}, the slowest rotation took ${milliseconds(most)}` },
      ticks.map(ms => [s("line", { class: "grid", x1: 50, x2: 470, y1: y(ms), y2: y(ms) }), s("text", { x: 44, y: y(ms) + 4, "text-anchor": "end" }, milliseconds(ms))]),
      turned.slice(-2000).map(({ own, at, ms }) => s("circle", { class: "dot", cx: x(at), cy: y(ms), r: 4 }, s("title", null, `${own.name}: ${milliseconds(own.rotationMs)}`))),
      s("text", { x: 50, y: 145 }, clock(low)), s("text", { x: 470, y: 145, "text-anchor": "end" }, clock(high))));
}

export function certificates(root, params) {
  const filter = h("input", { type: "search", placeholder: "name, host, issuer", autocomplete: "off" });
  const sub = h("p"), plots = h("div", { class: "split" }), body = h("div"), detail = h("div"), axis = h("div", { class: "axis" });
  let range = scale([]), chosen = params.get("name");
  const all = list({ label: "Certificates", kind: "certs", height: 62, tall: 92, key: own => own.name, row: own => row(own, range), chosen, choose });
  root.append(h("div", { class: "head" }, h("h1", null, "Certificates"), sub), body);
  const whole = [h("section", null, plots), h("div", { class: "tools" }, field("Find", filter, { class: "grow" })), h("section", null, axis, all.element, h("p", { class: "legend" }, "The solid line is now; the dotted line is when the agent starts to warn.")), h("section", null, detail)];

  function choose(own) {
    chosen = own.name;
    history.replaceState(null, "", `#/certificates?name=${encodeURIComponent(chosen)}`);
    show();
    announce(`${own.name}: ${standing(own)[1]}${own.notAfter ? `, expires ${relative(own.notAfter)}` : ""}`);
  }

  function show() {
    const own = known.status.credentials.find(own => own.name === chosen);
    put(detail, own ? details(own) : h("p", { class: "quiet" }, "Choose a certificate to see its names, its key and its proxies."));
  }

  function update() {
    if (!known.status) return put(body, empty("Certificates need a gateway", "Without one, this page reads no Secrets. Open it at the --admin address of a running agent to see which certificates it serves, and when they expire."));
    const credentials = known.status.credentials;
    put(sub, `${plural(credentials.filter(own => own.served).length, "certificate")} served`);
    if (!credentials.length) return put(body, empty("No certificates yet", "A server of a Gateway names a certificate in tls.credentialName. A Secret, or a directory with tls.crt and tls.key, provides it."));
    if (!body.contains(all.element)) body.replaceChildren(...whole);
    range = scale(credentials);
    const drawn = [distribution(known.status.rotations), overTime(credentials)].filter(Boolean);
    put(plots, drawn.length ? drawn : h("p", { class: "quiet" }, "No rotation has been measured yet. A rotation is measured when a proxy confirms a certificate that replaces another one."));
    put(axis, h("span", null, "State"), h("span", null, "Certificate"), h("span", { class: "scale num" }, h("span", null, day(range.from)), h("span", null, day(range.to))), h("span", null, "Expires"), h("span", null, "Proxies"));
    const text = filter.value.trim().toLowerCase();
    const wanted = credentials.filter(own => !text || [own.name, own.issuer, ...own.dnsNames, ...own.subjects].join(" ").toLowerCase().includes(text));
    all.set(wanted.sort((a, b) => RANK[standing(a)[0]] - RANK[standing(b)[0]] || (a.notAfter ?? "9").localeCompare(b.notAfter ?? "9")));
    show();
  }
  filter.addEventListener("input", update);
  return { update, params(now) { chosen = now.get("name") ?? chosen; } };
}
