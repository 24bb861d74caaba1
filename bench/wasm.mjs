// The kernels of src/lib.rs in V8, the engine of Chromium and Node: `node wasm.mjs PACKAGE`, where PACKAGE is what
// wasm-bindgen made for Node. It speaks as rivals.py does: a JSON object a line in, one out.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Job } = createRequire(import.meta.url)(process.argv[2]);

const answers = {
  prepare({ name, width, height, frames, data }) {
    this.job?.free();
    this.job = new Job(name, width, height, frames, readFileSync(data));
    return { check: this.job.check() };
  },
  run() {
    const start = process.cpuUsage();
    this.job.run();
    const { user, system } = process.cpuUsage(start);
    return { seconds: (user + system) / 1e6 };
  },
  versions: () => ({ node: process.versions.node, v8: process.versions.v8 }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...request } = JSON.parse(line);
  console.log(JSON.stringify(answers[op](request)));
}
