// What the tests stand on: a static host, a browser, clips to try, and the command line to compare with.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';
import { chromium } from 'playwright-core';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const SAMPLE = join(ROOT, 'web/assets/sample.mp4');
export const DIST = resolve(process.env.DIST ?? join(ROOT, 'dist'));
const BINARY = resolve(process.env.STEADYMASK_BIN ?? join(ROOT, 'target/release/steadymask'));

/** A folder that goes away with the process. */
export const SCRATCH = mkdtempSync(join(tmpdir(), 'steadymask-e2e-'));
process.on('exit', () => rmSync(SCRATCH, { recursive: true, force: true }));

// ---------------------------------------------------------------------------------------------------------------
// A plain static host

const TYPES = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.mp4': 'video/mp4',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/**
 * Serves the built site under a sub-path, and nothing anywhere else, so that an address that does not heed the
 * sub-path fails. `files` lie beside the page, by name; of these, pieces can be had. A request that `refuse` says yes
 * to is answered with 503.
 *
 * @returns {{origin: string, url: string, files: Map<string, string>, refuse: (request: {path: string, range?: string})
 *   => boolean, requests: {method: string, path: string, range?: string, status: number, bytes: number}[],
 *   close: () => void}}
 */
export async function serve() {
  const base = '/some/where/';
  const host = { requests: [], files: new Map(), refuse: () => false };
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://host').pathname);
    const name = path === base ? 'index.html' : path.slice(base.length);
    const file = host.files.get(name) ?? join(DIST, name);
    const stats = path.startsWith(base) && statSync(file, { throwIfNoEntry: false });
    const found = request.method === 'GET' && stats && stats.isFile();
    const range = host.files.has(name) ? request.headers.range : undefined;
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const refused = host.refuse({ path, range });
    const status = refused ? 503 : !found ? 404 : first ? 206 : 200;
    const bytes = status === 200 ? stats.size : status === 206 ? last - first + 1 : 0;
    host.requests.push({ method: request.method, path, range, status, bytes });
    if (bytes === 0) {
      response.writeHead(status).end();
      return;
    }
    response.writeHead(status, {
      'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
      'content-length': bytes,
      'cache-control': 'no-store',
      ...(host.files.has(name) && { etag: `"${stats.size}-${stats.mtimeMs}"` }),
      ...(first && { 'content-range': `bytes ${first}-${last}/${stats.size}` }),
    });
    createReadStream(file, first ? { start: Number(first), end: Number(last) } : {}).pipe(response);
  });
  assert.ok(statSync(join(DIST, 'index.html'), { throwIfNoEntry: false }), `${DIST} has no index.html: build the page`);
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const close = () => {
    server.close();
    server.closeAllConnections?.();
  };
  return Object.assign(host, { origin, url: origin + base, close });
}

// ---------------------------------------------------------------------------------------------------------------
// The browser

/** Chromium, with WebGPU on its software adapter, or on what the machine has. */
export function launch({ software = true } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless=new',
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--enable-unsafe-webgpu',
      ...(software ? ['--use-webgpu-adapter=swiftshader'] : ['--enable-features=Vulkan', '--ignore-gpu-blocklist']),
    ],
  });
}

/**
 * A page of its own that notes what must not happen: errors, and requests that leave the origin. `query` is that of
 * the address; English unless it says otherwise. `script` runs in the page before all else.
 *
 * @returns {Promise<{page: import('playwright-core').Page, faults: string[], by: (id: string) =>
 *   import('playwright-core').Locator, close: () => Promise<void>}>}
 */
export async function open(browser, host, query = {}, { script, ...options } = {}) {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  const isOurs = (url) => url.startsWith(`${host.origin}/`) || /^(blob|data):/.test(url);
  context.on('request', (request) => {
    if (!isOurs(request.url()) || request.method() !== 'GET') faults.push(`${request.method()} ${request.url()}`);
  });
  page.on('websocket', (socket) => faults.push(`websocket ${socket.url()}`));
  page.on('pageerror', (error) => faults.push(`error: ${error.message} ${error.stack}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  await page.addInitScript(heartbeat);
  if (script) await page.addInitScript(script);
  await page.goto(`${host.url}?${new URLSearchParams(query)}`);
  return { page, faults, by: (id) => page.getByTestId(id), close: () => context.close() };
}

/** Runs in the page: a pulse every 10 ms, and the longest time without one. */
function heartbeat() {
  let last = performance.now();
  const pulse = { longest: 0 };
  setInterval(() => {
    const now = performance.now();
    pulse.longest = Math.max(pulse.longest, now - last);
    last = now;
  }, 10);
  window.pulse = pulse;
}

/** Drops a file onto an element as a person does, with a `DataTransfer`. */
export async function drop(locator, path, name, type) {
  const base64 = readFileSync(path).toString('base64');
  await locator.evaluate(
    async (element, file) => {
      const bytes = await (await fetch(`data:application/octet-stream;base64,${file.base64}`)).arrayBuffer();
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([bytes], file.name, { type: file.type }));
      for (const kind of ['dragenter', 'dragover', 'drop']) {
        element.dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    { base64, name, type },
  );
}

/** Presses a button and keeps the file that it downloads. */
export async function download(page, button) {
  const [file] = await Promise.all([page.waitForEvent('download', { timeout: 120_000 }), button.click()]);
  const path = join(mkdtempSync(join(SCRATCH, 'download-')), file.suggestedFilename());
  await file.saveAs(path);
  return path;
}

// ---------------------------------------------------------------------------------------------------------------
// Clips and masks

const run = promisify(execFile);

/** Runs ffmpeg; relative paths lie in the scratch folder. */
export function ffmpeg(...args) {
  execFileSync('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-y', ...args], { cwd: SCRATCH });
}

/** What ffprobe counts and says of the first video stream. */
export function probe(path) {
  const fields = 'stream=codec_name,width,height,nb_read_frames,duration:format=duration';
  const args = ['-v', 'error', '-count_frames', '-select_streams', 'v:0', '-show_entries', fields, '-of', 'json', path];
  const { streams, format } = JSON.parse(execFileSync('ffprobe', args));
  const [{ codec_name: codec, width, height, nb_read_frames: frames }] = streams;
  return { codec, width, height, frames: Number(frames), seconds: Number(format.duration) };
}

/**
 * Runs `steadymask stabilize` into a folder of its own.
 *
 * @returns {Promise<{folder?: string, error?: string}>} the folder, or what it said when it failed
 */
export async function commandLine(input, ...args) {
  const folder = mkdtempSync(join(SCRATCH, 'command-line-'));
  try {
    await run(BINARY, ['stabilize', input, '--out', folder, '--device', 'cpu', ...args], { maxBuffer: 1 << 26 });
    return { folder };
  } catch (error) {
    assert.ok(typeof error.code === 'number', `cannot run ${BINARY}: ${error.message}`);
    assert.ok(error.code !== 101 && !/panicked/.test(error.stderr), error.stderr);
    return { error: error.stderr };
  }
}

/**
 * The files of a zip, unpacked into a folder of their own, read from its central directory.
 *
 * @returns {{folder: string, names: string[]}}
 */
export function unzip(path) {
  const zip = readFileSync(path);
  const folder = mkdtempSync(join(SCRATCH, 'unzipped-'));
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06'));
  assert.notEqual(end, -1, `${path} is no zip`);
  const names = [];
  let at = zip.readUInt32LE(end + 16);
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    assert.equal(zip.readUInt32LE(at), 0x02014b50, 'a central directory entry');
    const [method, crc, packed, size] = [zip.readUInt16LE(at + 10), ...[16, 20, 24].map((o) => zip.readUInt32LE(at + o))];
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => zip.readUInt16LE(at + o));
    const name = zip.toString('utf8', at + 46, at + 46 + nameLength);
    const local = zip.readUInt32LE(at + 42);
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
    const raw = zip.subarray(start, start + packed);
    const data = method === 8 ? inflateRawSync(raw) : raw;
    assert.equal(data.length, size, `size of ${name}`);
    assert.equal(crc32(data), crc, `checksum of ${name}`);
    assert.match(name, /^[\w.-]+$/, 'a plain file name');
    writeFileSync(join(folder, name), data);
    names.push(name);
    at += 46 + nameLength + extraLength + commentLength;
  }
  return { folder, names };
}

/** CRC-32 as zip has it (reversed polynomial 0xEDB88320). */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

/** The pixels of `NNNNN.png` in a folder, 8 bits, one after the other. */
export function pixels(folder) {
  const args = ['-v', 'error', '-i', join(folder, '%05d.png'), '-f', 'rawvideo', '-pix_fmt', 'gray', '-'];
  return execFileSync('ffmpeg', args, { maxBuffer: 1 << 30 });
}

/**
 * Compares the masks of two folders, pixel by pixel.
 *
 * @returns {{pixels: number, different: number, share: number, inside: number}} `inside`: the share of pixels that
 *   the first one's masks cover
 */
export function compareMasks(first, second) {
  const [a, b] = [pixels(first), pixels(second)];
  assert.equal(a.length, b.length, 'as many pixels');
  let different = 0;
  let covered = 0;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) different++;
    if (a[i] === 255) covered++;
    else if (a[i] !== 0) assert.fail(`a mask has the value ${a[i]}`);
  }
  return { pixels: a.length, different, share: different / a.length, inside: covered / a.length };
}

/**
 * An MP4 whose track says that its frames, stored `height` pixels high, are to be turned a quarter to the right. The
 * matrix is the one of ISO 14496-12, 8.3.2, in the track header.
 */
export function rotated(mp4, height) {
  const copy = Buffer.from(mp4);
  const matrix = copy.indexOf('tkhd') + 44;
  const one = 1 << 16;
  [0, one, 0, -one, 0, 0, height * one, 0, 1 << 30].forEach((value, i) => copy.writeInt32BE(value, matrix + 4 * i));
  return copy;
}
