// The explorer, beside the page's own thread: ten thousand routes are read without holding up anybody's scrolling.

import init, { Explorer, codes, lineOf } from "./sealgate_web.js";

let explorer;

async function start() {
  const module = await fetch("sealgate_web.wasm");
  if (!module.ok) throw new Error(`sealgate_web.wasm: ${module.status}`);
  await init({ module_or_path: await module.arrayBuffer() });
  explorer = new Explorer();
}

/** Reads what an agent serves, line by line; what changed, if something is known already. */
async function load() {
  const since = explorer.generation();
  const answer = await fetch(`api/objects${since == null ? "" : `?since=${since}`}`);
  if (!answer.ok) throw new Error(`api/objects: ${answer.status}`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", whole = false;
  for (;;) {
    const { done, value } = await reader.read();
    rest += value ?? "";
    const end = done ? rest.length : rest.lastIndexOf("\n") + 1;
    whole = explorer.lines(rest.slice(0, end)) || whole;
    rest = rest.slice(end);
    if (done) break;
  }
  if (!whole) throw new Error("the answer was cut short");
}

const calls = {
  async load() {
    try {
      await load();
    } catch {
      // Changes of what is not known, or half an answer: from the beginning.
      explorer.free();
      explorer = new Explorer();
      await load();
    }
    return calls.overview();
  },
  manifests(text, options) {
    explorer.manifests(text, JSON.stringify(options));
    return calls.overview();
  },
  overview: () => ({ summary: JSON.parse(explorer.summary()), gateways: JSON.parse(explorer.gateways()), findings: JSON.parse(explorer.findings()) }),
  hosts: () => JSON.parse(explorer.hosts()),
  rules: (port, domain) => JSON.parse(explorer.rules(port, domain)),
  ask(request, edited) {
    const began = performance.now();
    const answer = explorer.ask(JSON.stringify(request), edited);
    const took = performance.now() - began;
    return { ...JSON.parse(answer), took };
  },
  /** As text: a number of JSON is not always the same one of JavaScript. */
  line: question => explorer.line(JSON.stringify(question)),
  edit: (manifests, removed) => JSON.parse(explorer.edit(manifests, JSON.stringify(removed))),
  names: () => JSON.parse(explorer.names()),
  object: name => explorer.object(name),
  codes: () => JSON.parse(codes()),
  place: (manifest, path) => lineOf(manifest, path),
};

const started = start();
// One after the other: an answer is of what was there when it was asked.
let last = started.catch(() => {});
addEventListener("message", ({ data: { id, call, args } }) => {
  last = last.then(async () => {
    try {
      await started;
      postMessage({ id, value: await calls[call](...args) });
    } catch (error) {
      postMessage({ id, error: error.message });
    }
  });
});
started.then(() => postMessage({ id: "ready" }), error => postMessage({ id: "absent", error: error.message }));
