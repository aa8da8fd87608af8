// The page's data: from a running agent, updated as things change, or from pasted manifests.

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
  /** Whether the stream of changes is open. */
  live: false,
  /** The explorer's overview; null until it is ready. */
  served: null,
  /** A number that changes with the objects. */
  turn: 0,
  /** Why there is no explorer. */
  missing: null,
  /** The meaning of each finding code. */
  codes: new Map(),
  /** The pasted manifests, and the flags entered with them. */
  manifests: "",
  options: {},
};

const listeners = new Set();
export function follow(listener) { listeners.add(listener); }
const tell = () => listeners.forEach(listener => listener());

/** The time until a failed task is retried. */
const RETRY = 2000;
const pause = time => new Promise(resolve => setTimeout(resolve, time));

/** Failed tasks, and why. */
const troubles = new Map();

function note(task, trouble) {
  if (trouble) troubles.set(task, trouble); else troubles.delete(task);
  const [first = null] = troubles.values();
  if (first === known.trouble) return;
  known.trouble = first;
  tell();
}

/** Runs a task whenever asked, never twice at a time, and for at most a tenth of the time, so that the agent can serve others. Retries on failure. */
function paced(task) {
  let running = false, again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    again = false;
    const began = performance.now();
    let rest = 200;
    try {
      await task();
      note(task);
    } catch (error) {
      note(task, error.message || error.name);
      again = true;
      rest = RETRY;
    } finally {
      setTimeout(() => {
        running = false;
        // A hidden page is updated when it is shown again.
        if (again && !document.hidden) run();
      }, Math.max(rest, 9 * (performance.now() - began)));
    }
  };
}

const readStatus = paced(async () => {
  const answer = await fetch("api/status");
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  taken(await answer.json());
  tell();
});

function taken(status) {
  known.status = status;
  known.at = Date.now();
}

const readObjects = paced(async () => {
  if ((await explorer.ready).missing) return;
  const now = await explorer.ask("load");
  // Null if nothing changed.
  if (now) served(now);
});

function served(now) {
  known.served = now;
  known.turn += 1;
  tell();
}

/** Uses manifests instead of an agent. */
export async function paste(text, options) {
  known.manifests = text;
  known.options = options;
  served(await explorer.ask("manifests", text, options));
}

/** Each stream of changes ends after a while. It is a problem only if no new one starts within this time. */
const GRACE = 10_000;
let source = null, late = null;

/** A hidden page holds no connection: browsers and the agent allow only a few. */
function listen() {
  if (source || document.hidden) return;
  source = new EventSource("api/events");
  let last = {};
  source.addEventListener("open", () => {
    expect();
    // The numbers of one connection cannot be compared with those of another.
    last = {};
  });
  source.addEventListener("change", ({ data }) => {
    const now = JSON.parse(data);
    known.live = true;
    if (now.status !== last.status) readStatus();
    if (now.objects !== last.objects) readObjects();
    last = now;
  });
  source.addEventListener("error", () => {
    late ??= setTimeout(miss, GRACE);
    // The browser reconnects by itself, unless the request was rejected: then the page polls.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    readStatus();
    readObjects();
    setTimeout(listen, 5000);
  });
}

/** Changes arrive again. */
function expect() {
  clearTimeout(late);
  late = null;
}

/** No changes arrive; the agent may be the reason. */
function miss() {
  late = null;
  known.live = false;
  readStatus();
}

function hush() {
  source?.close();
  source = null;
  known.live = false;
  expect();
}

/** The first status of an agent; null if a file server serves this page. Retries while the agent does not answer, or requires its token. */
async function first() {
  for (;;) {
    try {
      const answer = await fetch("api/status");
      const isSilent = answer.status === 401 || answer.status >= 500;
      if (isSilent) throw new Error(`status ${answer.status}`);
      const isAgent = answer.ok && answer.headers.get("content-type")?.includes("json");
      const status = isAgent ? await answer.json() : null;
      note(first);
      return status;
    } catch (error) {
      note(first, error.message || error.name);
      await pause(RETRY);
    }
  }
}

/** Starts everything that needs an agent. */
function followAgent(status) {
  taken(status);
  document.addEventListener("visibilitychange", () => { if (document.hidden) hush(); else listen(); });
  addEventListener("pagehide", hush);
  addEventListener("pageshow", event => { if (event.persisted) listen(); });
  listen();
  readObjects();
}

export async function start() {
  explorer.ready.then(async ({ missing }) => {
    known.missing = missing ?? null;
    if (!missing) known.codes = new Map((await explorer.ask("codes")).map(code => [code.code, code]));
    tell();
  });
  const status = await first();
  known.mode = status ? "agent" : "manifests";
  if (status) followAgent(status);
  tell();
}

/** All findings: the agent's, which sees proxies and certificates too, or the explorer's. */
export const findings = () => known.status?.refusals ?? known.served?.findings ?? [];
