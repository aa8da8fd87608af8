// The explorer, in its own thread: reading ten thousand routes does not block the page.

/** The module's functions, once it is loaded. */
let module;
let explorer;

async function compiled() {
  const answer = await fetch("sealgate_web.wasm");
  if (!answer.ok) throw new Error(`sealgate_web.wasm: ${answer.status}`);
  // Streaming compilation needs the right content type, which some servers do not send.
  const isTyped = answer.headers.get("content-type") === "application/wasm";
  return isTyped ? WebAssembly.compileStreaming(answer) : WebAssembly.compile(await answer.arrayBuffer());
}

async function start() {
  // Fetched in parallel.
  const [script, code] = await Promise.all([import("./sealgate_web.js"), compiled()]);
  await script.default({ module_or_path: code });
  module = script;
  explorer = new module.Explorer();
}

/** Fetches what the agent serves, or the changes since a known state. */
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
  /** Null if nothing changed. */
  async load() {
    let before = explorer.generation();
    // If the agent does not answer, what is known stays.
    const answer = await fetched(before);
    try {
      await read(answer);
    } catch {
      // Changes to an unknown state, or an incomplete response: read everything.
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
  /** As text: JavaScript cannot represent every JSON number exactly. */
  line: question => explorer.line(JSON.stringify(question)),
  edit: (manifests, removed) => JSON.parse(explorer.edit(manifests, JSON.stringify(removed))),
  names: () => JSON.parse(explorer.names()),
  object: name => explorer.object(name),
  codes: () => JSON.parse(module.codes()),
  place: (manifest, path) => module.lineOf(manifest, path),
};

const started = start();
// One after the other, so that an answer matches the state when it was asked for.
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
