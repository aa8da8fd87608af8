// The page: one view at a time, chosen by the address's fragment, which never leaves the browser.

import { h, put, plural } from "./dom.js";
import * as data from "./data.js";
import { overview, attention } from "./overview.js";
import { certificates } from "./certificates.js";
import { hosts } from "./hosts.js";
import { why } from "./why.js";
import { findings } from "./findings.js";
import { proxies } from "./proxies.js";

const VIEWS = [
  ["overview", "Overview", overview], ["certificates", "Certificates", certificates], ["hosts", "Hosts and routes", hosts],
  ["why", "Why", why], ["findings", "Findings", findings], ["proxies", "Proxies", proxies],
];
const main = document.getElementById("main");
const nav = document.getElementById("nav");
const source = document.getElementById("source");
const trouble = h("p", { class: "notice bad", role: "alert", hidden: true });
/** How often everything that depends on the time is redrawn. */
const REFRESH = 30_000;
let shown = null;

function place() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  return { name: VIEWS.some(([name]) => name === path) ? path : "overview", params: new URLSearchParams(query) };
}

function go() {
  const { name, params } = place();
  const [, title, view] = VIEWS.find(([own]) => own === name);
  document.title = `${title} · Sealgate`;
  const again = shown?.name === name;
  if (!again) {
    const root = h("div", { class: `view ${name}` });
    main.replaceChildren(trouble, root);
    // After a link, the focus moves to the content; on the first load, it stays at the top.
    if (shown) main.focus({ preventScroll: true });
    shown = { name, view: view(root, params) };
    scrollTo(0, 0);
  } else {
    shown.view.params?.(params);
  }
  for (const link of nav.children) {
    const own = link.dataset.name === name;
    if (own) { link.setAttribute("aria-current", "page"); if (!again) link.scrollIntoView({ block: "nearest", inline: "nearest" }); } else link.removeAttribute("aria-current");
  }
  update();
}

/** Where the data comes from, in a few words. */
function origin({ mode, trouble, live }) {
  if (mode === "manifests") return "No gateway: manifests only";
  if (trouble) return "The agent does not answer";
  return mode ? (live ? "Live" : "Connecting…") : "";
}

function lament({ trouble, at }) {
  const old = at ? ` This page shows the state at ${new Date(at).toLocaleTimeString("en-GB")}.` : "";
  return trouble && `The agent does not answer: ${trouble}. The page keeps trying.${old}`;
}

function update() {
  const { known } = data;
  const count = attention().filter(item => item.kind === "bad").length;
  const badge = nav.querySelector("[data-name=overview] .count");
  put(badge, count || "");
  badge.hidden = !count;
  badge.setAttribute("aria-label", plural(count, "problem"));
  put(source, origin(known));
  put(trouble, lament(known));
  trouble.hidden = !known.trouble;
  if (known.mode) shown?.view.update();
}

nav.append(...VIEWS.map(([name, title]) => h("a", { href: `#/${name}`, "data-name": name }, title, name === "overview" && h("span", { class: "count", hidden: true }))));
addEventListener("hashchange", go);
document.querySelector(".skip").addEventListener("click", event => { event.preventDefault(); main.focus(); });
data.follow(update);

// Browsers remember a token in an address, but block the requests of a page whose address has one.
const here = new URL(location.href);
if (here.username || here.password) {
  here.username = here.password = "";
  location.replace(here);
} else {
  data.start();
  setInterval(update, REFRESH);
  go();
}
