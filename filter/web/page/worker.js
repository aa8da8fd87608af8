// The explorer, beside the page's own thread: ten thousand routes are read without holding up anybody's scrolling.

/** The module's functions, once it is there. */
let module;
let explorer;

async function compiled() {
  const answer = await fetch("sealgate_web.wasm");
  if (!answer.ok) throw new Error(`sealgate_web.wasm: ${answer.status}`);
  // Only under its own type is it compiled while it arrives; some servers know no such type.
  const isTyped = answer.headers.get("content-type") === "application/wasm";
  return isTyped ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

async function start() {
  // Both at once: neither waits for the other to be fetched.
  const [script, code] = await Promise.all([import("./sealgate_web.js"), compiled()]);
  await script.default({ module_or_path: code });
  module = script;
  explorer = new module.Explorer();
}

/** What an agent serves; what changed, if something is known already. */
async function fetched(since) {
  const answer = await fetch(`api/objects${since == null ? "" : `?since=${since}`}`);
  if (!answer.ok) throw new Error(`api/objects: ${answer.status}`);
  return answer;
}

/** Reads it line by line. */
async function read(answer) {
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
  /** Nothing, if nothing changed. */
  async load() {
    let before = explorer.generation();
    // An agent that does not answer takes nothing away.
    const answer = await fetched(before);
    try {
      await read(answer);
    } catch {
      // Changes of what is not known, or half an answer: from the beginning.
      explorer.free();
      explorer = new module.Explorer();
      before = undefined;
      await read(await fetched());
    }
    return explorer.generation() === before ? null : calls.overview();
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
  codes: () => JSON.parse(module.codes()),
  place: (manifest, path) => module.lineOf(manifest, path),
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
