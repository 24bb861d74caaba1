// Networks in Chromium: `node chromium.mjs FOLDER`, where FOLDER/BUILD is what wasm-bindgen made of the library for the
// web. It speaks as networks.py does, for both sides, which are in one worker of one page (chromium-worker.mjs):
//
//     {"op": "prepare", "build": …, "device": "cpu" or "webgpu", "folder": path, "side": …}  →  {"apart": …}
//     {"op": "ours", "times": …} or {"op": "theirs", …}  →  {"seconds": of one inference}
//     {"op": "adapter"}  →  {"name": of the GPU, or null}
//
// `folder` has `weights.safetensors`, `network.onnx` and `picture`, RGB of 8 bits. `node chromium.mjs` by itself prints the
// GPU's name, if there is one.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { launch } from '../e2e/support.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const RIVAL = join(HERE, 'node_modules/onnxruntime-web');
/** No host: what the page asks for is answered here. With https, since WebGPU is only there in a secure context. */
const ORIGIN = 'https://bench.invalid';

const [ours] = process.argv.slice(2);
/** Where the page's files lie; `data` is told with each network. */
const folders = { here: HERE, rival: join(RIVAL, 'dist'), ours: ours && resolve(ours) };

const browser = await launch({ software: false });
let worker;

/** A page of its own, since a worker ends with its page, and what it has compiled and kept with it. */
async function start() {
  await Promise.all(browser.contexts().map((context) => context.close()));
  const context = await browser.newContext();
  await context.route(`${ORIGIN}/**`, (route) => {
    const [folder, ...path] = new URL(route.request().url()).pathname.slice(1).split('/');
    if (folder === '') return route.fulfill({ contentType: 'text/html', body: '<!doctype html>' });
    const file = folders[folder] && join(folders[folder], ...path);
    return file?.startsWith(folders[folder] + sep) && existsSync(file) ? route.fulfill({ path: file }) : route.abort();
  });
  const page = await context.newPage();
  page.on('console', (message) => console.error(message.text()));
  await page.goto(ORIGIN);
  const started = page.waitForEvent('worker');
  await page.evaluate(() => new Worker('/here/chromium-worker.mjs', { type: 'module' }));
  worker = await started;
  await worker.evaluate(() => self.loaded);
}

const answers = {
  async prepare({ folder, ...request }) {
    folders.data = resolve(folder);
    await start();
    return worker.evaluate((request) => self.prepare(request), request);
  },
  ours: ({ times }) => worker.evaluate((times) => self.run('ours', times), times),
  theirs: ({ times }) => worker.evaluate((times) => self.run('theirs', times), times),
  async adapter() {
    await start();
    return { name: await worker.evaluate(() => self.adapter()) };
  },
  versions: () => ({
    chromium: browser.version(),
    'onnxruntime-web': JSON.parse(readFileSync(join(RIVAL, 'package.json'), 'utf8')).version,
  }),
};

if (ours === undefined) {
  const { name } = await answers.adapter();
  if (name !== null) console.log(name);
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const { op, ...request } = JSON.parse(line);
    console.log(JSON.stringify(await answers[op](request)));
  }
}
await browser.close();
