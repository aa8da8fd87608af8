// What the page knows, and where from: a running agent, told of changes as they happen, or manifests that somebody pasted.

import * as explorer from "./explorer.js";

export const known = {
  /** "agent", "manifests", or nothing yet. */
  mode: null,
  /** `/api/status`. */
  status: null,
  /** When it was read. */
  at: null,
  /** Why it cannot be read now. */
  trouble: null,
  /** Whether changes are told. */
  live: false,
  /** What the explorer says as a whole; none before it is ready. */
  served: null,
  /** Another number for each state of the objects. */
  turn: 0,
  /** Why there is no explorer. */
  missing: null,
  /** What codes of findings mean. */
  codes: new Map(),
  /** What was pasted, and the flags with it. */
  manifests: "",
  options: {},
};

const listeners = new Set();
export function follow(listener) { listeners.add(listener); }
const tell = () => listeners.forEach(listener => listener());

/** Runs a task again and again, never twice at a time, and leaves the agent nine tenths of the time for others. */
function paced(task) {
  let running = false, again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    const began = performance.now();
    await task();
    setTimeout(() => { running = false; if (again) { again = false; run(); } }, Math.max(200, 9 * (performance.now() - began)));
  };
}

const readStatus = paced(async () => {
  try {
    const answer = await fetch("api/status");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    known.status = await answer.json();
    known.at = Date.now();
    known.trouble = null;
  } catch (error) {
    known.trouble = error.message;
  }
  tell();
});

const readObjects = paced(async () => {
  if ((await explorer.ready).missing) return;
  try {
    served(await explorer.ask("load"));
  } catch (error) {
    known.trouble = error.message;
    tell();
  }
});

function served(now) {
  known.served = now;
  known.turn += 1;
  tell();
}

/** Takes manifests in place of an agent. */
export async function paste(text, options) {
  known.manifests = text;
  known.options = options;
  served(await explorer.ask("manifests", text, options));
}

let source = null;

/** A page that nobody sees holds no connection: browsers and the agent allow few. */
function listen() {
  if (source || document.hidden) return;
  source = new EventSource("api/events");
  let last = {};
  // Words of one connection say nothing of another.
  source.addEventListener("open", () => { last = {}; });
  source.addEventListener("change", ({ data }) => {
    const now = JSON.parse(data);
    known.live = true;
    if (now.status !== last.status) readStatus();
    if (now.objects !== last.objects) readObjects();
    last = now;
  });
  source.addEventListener("error", () => {
    known.live = false;
    readStatus();
    // It goes on by itself, unless it was refused: then the page looks now and then.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    readObjects();
    setTimeout(listen, 5000);
  });
}

function hush() {
  source?.close();
  source = null;
  known.live = false;
}

export async function start() {
  explorer.start();
  explorer.ready.then(async ({ missing }) => {
    known.missing = missing ?? null;
    if (!missing) known.codes = new Map((await explorer.ask("codes")).map(code => [code.code, code]));
    tell();
  });
  const answer = await fetch("api/status").catch(() => null);
  const isAgent = answer?.ok && answer.headers.get("content-type")?.includes("json");
  known.mode = isAgent ? "agent" : "manifests";
  if (isAgent) {
    known.status = await answer.json();
    known.at = Date.now();
    document.addEventListener("visibilitychange", () => { if (document.hidden) hush(); else listen(); });
    addEventListener("pagehide", hush);
    addEventListener("pageshow", event => { if (event.persisted) listen(); });
    listen();
    readObjects();
  }
  tell();
}

/** All findings: the agent's, which sees proxies and certificates too, or the explorer's. */
export const findings = () => known.status?.refusals ?? known.served?.findings ?? [];
