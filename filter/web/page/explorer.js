// Calls to the worker that runs the WebAssembly module.

// Only this one script may be loaded as a worker.
const policy = globalThis.trustedTypes?.createPolicy("sealgate", { createScriptURL: url => { if (url !== "worker.js") throw new TypeError(url); return url; } });

const waiting = new Map();
let count = 0, settle;
/** Settles when the explorer is ready, with the reason if it is missing. */
export const ready = new Promise(resolve => { settle = resolve; });

// It takes longest to load, so it starts before the rest of the page.
const worker = new Worker(policy ? policy.createScriptURL("worker.js") : "worker.js", { type: "module" });
worker.addEventListener("message", ({ data }) => {
  if (data.id === "ready") return settle({});
  if (data.id === "absent") return settle({ missing: data.error });
  const { resolve, reject } = waiting.get(data.id);
  waiting.delete(data.id);
  if (data.error === undefined) resolve(data.value); else reject(new Error(data.error));
});
worker.addEventListener("error", event => { event.preventDefault(); settle({ missing: event.message || "worker.js does not load" }); });

export function ask(call, ...args) {
  return new Promise((resolve, reject) => {
    waiting.set(++count, { resolve, reject });
    worker.postMessage({ id: count, call, args });
  });
}
