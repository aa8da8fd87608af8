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

/** What failed is tried again after this long. */
const RETRY = 2000;
const pause = time => new Promise(resolve => setTimeout(resolve, time));

/** Why each task failed that did. */
const troubles = new Map();

function note(task, trouble) {
  if (trouble) troubles.set(task, trouble); else troubles.delete(task);
  const [first = null] = troubles.values();
  if (first === known.trouble) return;
  known.trouble = first;
  tell();
}

/** Runs a task again and again, never twice at a time, and leaves the agent nine tenths of the time for others. One that fails is tried again. */
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
        // When a page is seen again, it is told what is new.
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
  // Nothing, if all of it was known.
  if (now) served(now);
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

/** Each stream of changes ends after a while. Only if no other one begins in this time, that is news. */
const GRACE = 10_000;
let source = null, late = null;

/** A page that nobody sees holds no connection: browsers and the agent allow few. */
function listen() {
  if (source || document.hidden) return;
  source = new EventSource("api/events");
  let last = {};
  source.addEventListener("open", () => {
    expect();
    // Words of one connection say nothing of another.
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
    // It goes on by itself, unless it was refused: then the page looks now and then.
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    readStatus();
    readObjects();
    setTimeout(listen, 5000);
  });
}

/** No change can be missed any more. */
function expect() {
  clearTimeout(late);
  late = null;
}

/** Changes are missed, and it may be for the agent’s sake. */
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

/** The first status of an agent; none if this is a file server’s page. An agent that does not answer yet, or asks for its token, is asked again. */
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

/** What needs an agent. */
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
