// The page in a real browser, from drop to download, compared with the command line.
//
//     npm ci --prefix e2e && STEADYMASK_BIN=target/release/steadymask node --test e2e/page.test.mjs
//
// Environment: STEADYMASK_BIN the command line, DIST the built page (default: dist/), CHROMIUM the browser (default:
// /usr/bin/chromium). Screenshots are left in e2e/screenshots/.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  DIST, ROOT, SAMPLE, SCRATCH, commandLine, compareMasks, download, drop, ffmpeg, launch, open, probe, rotated, serve, unzip,
} from './support.mjs';

/** Frames of the sample clip. */
const SAMPLE_FRAMES = 88;
/** The two shots of the sample meet here. */
const SAMPLE_CUT = 44;

/**
 * The share of a clip's pixels that may differ between the page and the command line. Decoding, colour conversion,
 * flow and fusion give the same bytes; the network does not, since the order of its float sums follows the machine's
 * vector width, or the shaders of WebGPU. Where a probability then rounds to its neighbour of 8 bits, the edge of a
 * mask may move by a pixel. Measured on the sample: 1 pixel of 20 million.
 */
const DIFFERENT_SHARE = 1e-4;

/** The longest time for which the page may do nothing, in milliseconds. Generous: the test machine is shared. */
const LONGEST_GAP_MS = 500;

const MINUTE = 60_000;

let host;
let browser;

before(async () => {
  host = await serve();
  browser = await launch();
  makeClips();
});

after(async () => {
  await browser?.close();
  host?.close();
});

/** Short clips with something about them, each from the sample. */
function makeClips() {
  const small = ['-i', SAMPLE, '-an', '-vf'];
  ffmpeg(...small, 'scale=160:90', '-frames:v', '3', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', 'three frames.mp4');
  ffmpeg(...small, 'scale=160:90', '-frames:v', '1', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', 'one.mp4');
  ffmpeg(...small, 'scale=320:180', '-frames:v', '10', '-c:v', 'libx264', '-pix_fmt', 'yuv420p', 'upright.mp4');
  writeFileSync(join(SCRATCH, 'rotated.mp4'), rotated(readFileSync(join(SCRATCH, 'upright.mp4')), 180));
  ffmpeg(...small, 'scale=161:91', '-frames:v', '10', '-c:v', 'libvpx-vp9', '-pix_fmt', 'yuv420p', 'odd.webm');
  ffmpeg(...small, 'scale=1:1', '-frames:v', '5', '-c:v', 'libvpx-vp9', '-pix_fmt', 'yuv420p', 'dot.webm');
  ffmpeg(...small, "select='lt(n,30)*(not(mod(n,3))+not(mod(n,5)))',scale=320:180", '-fps_mode', 'vfr',
    '-c:v', 'libx264', '-pix_fmt', 'yuv420p', 'variable.mp4');
  ffmpeg(...small, 'scale=320:180:out_range=pc:out_color_matrix=bt601', '-frames:v', '10', '-c:v', 'libx264',
    '-pix_fmt', 'yuvj420p', '-color_range', 'pc', '-colorspace', 'smpte170m', 'full-range.mp4');
  for (const height of [90, 136]) {
    ffmpeg(...small, `scale=240:${height}`, '-frames:v', '6', '-c:v', 'libvpx-vp9', '-pix_fmt', 'yuv420p', `${height}.webm`);
  }
  writeFileSync(join(SCRATCH, 'parts.txt'), "file '90.webm'\nfile '136.webm'\n");
  ffmpeg('-f', 'concat', '-i', 'parts.txt', '-c', 'copy', 'resized.webm');
  ffmpeg('-f', 'lavfi', '-i', 'sine=duration=1', '-c:a', 'aac', 'sound.m4a');
  writeFileSync(join(SCRATCH, 'notes.mp4'), 'These are notes, not a video.\n'.repeat(50));
  writeFileSync(join(SCRATCH, 'empty.mp4'), '');
  const sample = readFileSync(SAMPLE);
  writeFileSync(join(SCRATCH, 'cut-short.mp4'), sample.subarray(0, sample.length * 0.4));
  ffmpeg('-i', SAMPLE, '-c', 'copy', 'index-last.mp4');
  const indexLast = readFileSync(join(SCRATCH, 'index-last.mp4'));
  writeFileSync(join(SCRATCH, 'no-index.mp4'), indexLast.subarray(0, indexLast.length * 0.6));
}

/** What the page shows when it has opened a video: the button that starts. */
const opened = (by) => by('stabilize').waitFor({ timeout: MINUTE });

/** Presses *Stabilize video*, waits for the end, and says which it was. */
async function stabilize({ by }, timeout = 2 * MINUTE) {
  await by('stabilize').click();
  await by('done').or(by('error')).waitFor({ timeout });
  return (await by('error').count()) ? { error: await by('error').innerText() } : { text: await by('done').innerText() };
}

/**
 * Downloads the masks, before and after stabilising, and compares them with the command line's folder.
 *
 * @returns {Promise<{names: string[], inside: number}>} of the stabilised masks: files, and the share they cover
 */
async function masksAgainst({ page, by }, folder, test) {
  const of = async (what, button) => {
    const { folder: unpacked, names } = unzip(await download(page, by(button)));
    const { different, pixels, share, inside } = compareMasks(unpacked, join(folder, what));
    const difference = `${what}: ${different} of ${pixels} pixels differ, ${(share * 1e6).toFixed(1)} in a million`;
    test.diagnostic(`${difference}; ${(100 * inside).toFixed(1)} % covered`);
    assert.ok(share <= DIFFERENT_SHARE, difference);
    return { names, inside };
  };
  await of('raw', 'download-raw');
  return of('masks', 'download-masks');
}

/** The frame that is drawn, once it is `index`. */
const drawn = (page, index) => page.locator(`[data-testid=canvas][data-frame="${index}"][data-masks=true]`).waitFor();

/** The set of paths to values in some JSON; all elements of an array count as one. */
function paths(value, path = '', found = new Set()) {
  if (Array.isArray(value)) value.forEach((element) => paths(element, `${path}[]`, found));
  else if (value && typeof value === 'object') {
    for (const [key, inner] of Object.entries(value)) paths(inner, `${path}.${key}`, found);
  } else found.add(path);
  return found;
}

describe('the sample, on the processor', () => {
  let tab;
  let reference;

  before(async () => {
    reference = await commandLine(SAMPLE, '--classes', 'cat,person');
    assert.equal(reference.error, undefined);
    tab = await open(browser, host, { device: 'cpu', classes: 'cat,person' });
  });
  after(() => tab?.close());

  it('says what it runs on, and that nothing is uploaded', { timeout: MINUTE }, async () => {
    const { page, by } = tab;
    await page.locator('[data-testid=device][data-device=cpu]').waitFor();
    assert.match(await by('device').innerText(), /\?device=cpu/);
    assert.match(await page.locator('main').innerText(), /never uploaded/);
  });

  it('goes from a press to steady masks, and the page stays responsive', { timeout: 3 * MINUTE }, async (test) => {
    const { page, by } = tab;
    await by('try-sample').click();
    await opened(by);
    await page.evaluate(() => { window.pulse.longest = 0; });
    const start = Date.now();
    await by('stabilize').click();
    await by('progress').waitFor();
    const shares = new Set();
    while (!(await by('done').count())) {
      const bar = page.locator('[data-testid=progress] progress');
      const share = (await bar.count()) && (await bar.getAttribute('value', { timeout: 1000 }).catch(() => null));
      if (share) shares.add(Number(share));
      assert.equal(await by('error').count(), 0, 'no error');
      assert.ok(Date.now() - start < 2.5 * MINUTE, 'it comes to an end');
      await page.waitForTimeout(100);
    }
    const seconds = (Date.now() - start) / 1000;
    const gap = await page.evaluate(() => window.pulse.longest);
    test.diagnostic(`${SAMPLE_FRAMES} frames in ${seconds.toFixed(1)} s; longest gap of the page ${gap.toFixed(0)} ms`);
    const transfer = host.requests.reduce((sum, request) => sum + request.bytes, 0);
    test.diagnostic(`fetched ${(transfer / 1e6).toFixed(2)} MB uncompressed in ${host.requests.length} requests`);
    assert.ok(shares.size >= 3 && Math.max(...shares) > Math.min(...shares), `progress moved: ${[...shares]}`);
    assert.ok(gap < LONGEST_GAP_MS, `the page did nothing for ${gap} ms`);
    assert.match(await by('done').innerText(), new RegExp(`${SAMPLE_FRAMES} frames`));
  });

  it('steps through frames by button, number and keyboard', { timeout: MINUTE }, async () => {
    const { page, by } = tab;
    const number = by('frame-number');
    await number.fill('10');
    await drawn(page, 10);
    await by('frame-next').click();
    await drawn(page, 11);
    assert.equal(await number.inputValue(), '11');
    await by('frame-prev').click();
    await by('frame-prev').click();
    await drawn(page, 9);
    await page.locator('#video-name').focus();
    await page.keyboard.press('ArrowRight');
    await drawn(page, 10);
    await page.keyboard.press('End');
    await drawn(page, SAMPLE_FRAMES - 1);
    assert.ok(await by('frame-next').isDisabled(), 'no frame after the last');
    await page.keyboard.press('Home');
    await drawn(page, 0);
    assert.ok(await by('frame-prev').isDisabled(), 'no frame before the first');
  });

  it('compares before and after by keyboard and by pointer', { timeout: MINUTE }, async () => {
    const { page, by } = tab;
    await by('frame-number').fill('30');
    await drawn(page, 30);
    const slider = by('compare');
    const position = async () => Number(await slider.getAttribute('aria-valuenow'));
    const picture = () => by('canvas').evaluate((canvas) => canvas.toDataURL());
    const halfway = await position();
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    assert.ok((await position()) > halfway, 'an arrow key moves the divider');
    await page.keyboard.press('Home');
    assert.equal(await position(), 0);
    const allAfter = await picture();
    await page.keyboard.press('End');
    assert.equal(await position(), 100);
    assert.notEqual(await picture(), allAfter, 'masks before and after are drawn, and differ');
    const box = await by('canvas').boundingBox();
    await page.mouse.move(box.x + box.width * 0.9, box.y + box.height / 2);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.25, box.y + box.height / 2, { steps: 4 });
    await page.mouse.up();
    assert.ok(Math.abs((await position()) - 25) <= 1, 'a drag moves the divider');
    assert.equal(await by('frame-number').inputValue(), '30', 'and the frame stays');
  });

  it('finds a frame by a press on the plot', { timeout: MINUTE }, async () => {
    const { page, by } = tab;
    const box = await by('plot').locator('svg').boundingBox();
    await page.mouse.click(box.x + box.width * (60 / (SAMPLE_FRAMES - 1)), box.y + box.height / 2);
    await drawn(page, 60);
    assert.equal(await by('frame-number').inputValue(), '60');
  });

  it('gives the masks of the command line', { timeout: 2 * MINUTE }, async (test) => {
    const { names, inside } = await masksAgainst(tab, reference.folder, test);
    assert.deepEqual(names, Array.from({ length: SAMPLE_FRAMES }, (_, i) => `${String(i).padStart(5, '0')}.png`));
    assert.ok(inside > 0.2 && inside < 0.8, `something is masked, and not everything: ${inside}`);
  });

  it('gives an overlay video of the same frames', { timeout: 2 * MINUTE }, async (test) => {
    const path = await download(tab.page, tab.by('download-overlay'));
    const overlay = probe(path);
    test.diagnostic(`${basename(path)}: ${JSON.stringify(overlay)}`);
    const { frames, width, height, seconds } = overlay;
    assert.deepEqual({ frames, width, height }, { frames: SAMPLE_FRAMES, width: 640, height: 360 });
    assert.ok(Math.abs(seconds - SAMPLE_FRAMES / 24) < 0.1, `${seconds} s`);
  });

  it('gives the metrics of the command line', { timeout: MINUTE }, async (test) => {
    const read = (path) => JSON.parse(readFileSync(path, 'utf8'));
    const theirs = read(join(reference.folder, 'metrics.json'));
    const ours = read(await download(tab.page, tab.by('download-metrics')));
    assert.deepEqual(ours.settings, theirs.settings);
    assert.deepEqual(ours.summary.scene_cuts, [SAMPLE_CUT]);
    assert.equal(ours.frames.length, SAMPLE_FRAMES);
    const shape = ({ timings, warnings, ...report }) => [...paths(report)].sort();
    assert.deepEqual(shape(ours), shape(theirs), 'the same fields, but for where the time went');
    const alike = (got, value, name) => {
      if (value && typeof value === 'object') {
        for (const [inner, of] of Object.entries(value)) alike(got[inner], of, `${name}.${inner}`);
      } else assert.ok(Math.abs(got - value) < 1e-3, `${name}: ${got}, command line ${value}`);
    };
    for (const side of ['before', 'after']) alike(ours.summary[side], theirs.summary[side], side);
    const flicker = (side) => ours.summary[side].motion_compensated_instability;
    test.diagnostic(`motion-compensated instability ${flicker('before').toFixed(4)} → ${flicker('after').toFixed(4)}`);
    assert.ok(flicker('after') < flicker('before') / 2, 'consensus removes most of the flicker');
  });

  it('looks right in light and dark, wide and narrow', { timeout: MINUTE }, async () => {
    const { page } = tab;
    await page.mouse.move(0, 0);
    await looks(page, 'result');
  });

  it('speaks Russian when asked', { timeout: MINUTE }, async () => {
    const { page, by } = tab;
    await by('language').locator('[data-value=ru]').click();
    assert.equal(await page.locator('html').getAttribute('lang'), 'ru');
    await page.getByRole('button', { name: 'Маски, PNG в zip' }).waitFor();
    assert.equal(await by('frame-number').inputValue(), '60', 'the state stays');
  });

  it('sent nothing anywhere and broke nothing', () => {
    assert.deepEqual(tab.faults, []);
    const failed = host.requests.filter(({ method, status }) => method !== 'GET' || status !== 200);
    assert.deepEqual(failed, [], 'every address is under the sub-path');
  });
});

/** Screenshots of the page as it stands, and nothing that sticks out sideways. */
async function looks(page, name) {
  const folder = join(ROOT, 'e2e/screenshots');
  mkdirSync(folder, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [1280, 360]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await page.waitForTimeout(300); // transitions
      const path = join(folder, `${name}-${colorScheme}-${width}.png`);
      await page.screenshot({ path, fullPage: true });
      const sideways = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(sideways <= 0, `${name}, ${colorScheme}, ${width} wide: sticks out by ${sideways} pixels`);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1280, height: 900 });
}

describe('other clips, on the processor', () => {
  let tab;

  before(async () => {
    tab = await open(browser, host, { device: 'cpu' });
  });
  after(() => tab?.close());

  it('looks right before a video is there', { timeout: MINUTE }, async () => {
    await tab.page.locator('[data-testid=device][data-device]').waitFor();
    await looks(tab.page, 'welcome');
  });

  it('takes a video that is dropped', { timeout: MINUTE }, async (test) => {
    await drop(tab.by('drop-zone'), join(SCRATCH, 'three frames.mp4'), 'three frames.mp4', 'video/mp4');
    await opened(tab.by);
    assert.equal(await tab.page.locator('#video-name').innerText(), 'three frames.mp4');
    const { folder } = await commandLine(join(SCRATCH, 'three frames.mp4'));
    assert.equal((await stabilize(tab)).error, undefined);
    await masksAgainst(tab, folder, test);
  });

  const clips = {
    'one.mp4': 'one frame',
    'rotated.mp4': 'portrait by rotation metadata',
    'odd.webm': 'VP9 of odd size',
    'dot.webm': 'one pixel',
    'variable.mp4': 'variable frame rate',
    'full-range.mp4': 'full range, BT.601',
  };
  for (const [name, what] of Object.entries(clips)) {
    it(`agrees with the command line on ${what}`, { timeout: MINUTE }, async (test) => {
      const path = join(SCRATCH, name);
      const theirs = await commandLine(path);
      await tab.by('file-input').setInputFiles(path);
      await tab.page.locator('#video-name', { hasText: name }).waitFor();
      const ours = await stabilize(tab);
      test.diagnostic(JSON.stringify(ours));
      assert.equal(Boolean(ours.error), Boolean(theirs.error), `page: ${ours.error}; command line: ${theirs.error}`);
      if (theirs.folder) await masksAgainst(tab, theirs.folder, test);
    });
  }

  it('follows the settings', { timeout: MINUTE }, async (test) => {
    const { by } = tab;
    const path = join(SCRATCH, 'upright.mp4');
    const { folder } = await commandLine(path, '--classes', 'cat', '--method', 'median');
    await by('file-input').setInputFiles(path);
    await tab.page.locator('#video-name', { hasText: 'upright.mp4' }).waitFor();
    await by('classes').locator('[data-class=cat]').click();
    await by('method').selectOption('median');
    assert.match(tab.page.url(), /classes=cat/);
    assert.match(tab.page.url(), /method=median/);
    assert.equal((await stabilize(tab)).error, undefined);
    await masksAgainst(tab, folder, test);
  });

  it('stops when cancelled, and can start again', { timeout: 2 * MINUTE }, async (test) => {
    const { by, page } = tab;
    await by('file-input').setInputFiles(SAMPLE);
    await page.locator('#video-name', { hasText: 'sample.mp4' }).waitFor();
    for (let round = 0; round < 2; round++) {
      await by('stabilize').click();
      await page.locator('[data-testid=progress] progress[value]').waitFor({ timeout: MINUTE });
      const start = Date.now();
      await by('cancel').click();
      await by('stabilize').waitFor({ timeout: 5000 });
      test.diagnostic(`stopped after ${Date.now() - start} ms`);
      assert.equal(await by('done').count(), 0, 'no result of a cancelled run');
      assert.equal(await by('error').count(), 0, 'cancelling is no error');
    }
  });

  it('broke nothing', () => assert.deepEqual(tab.faults, []));
});

describe('a method that is proposed', () => {
  let tab;

  before(async () => {
    tab = await open(browser, host, { device: 'cpu', method: 'auto' });
  });
  after(() => tab?.close());

  it('is run, and the whole trade-off is told', { timeout: 3 * MINUTE }, async (test) => {
    const { page, by } = tab;
    const path = join(SCRATCH, 'upright.mp4');
    await by('file-input').setInputFiles(path);
    await opened(by);
    const { error, text } = await stabilize(tab, 2.5 * MINUTE);
    assert.equal(error, undefined);
    test.diagnostic(`${text}; ${await by('proposed').innerText()}`);
    const { auto, settings } = JSON.parse(readFileSync(await download(page, by('download-metrics')), 'utf8'));
    assert.deepEqual(auto.stretches, [{ first: 0, frames: 10 }], 'a short clip is its own sample');
    assert.ok(auto.candidates.length >= 10);
    assert.deepEqual(auto.candidates[auto.chosen].settings, settings, 'what is proposed is what ran');

    await by('trade-off-table').click();
    const rows = by('trade-off').locator('tbody tr');
    assert.equal(await rows.count(), auto.candidates.length);
    const scores = auto.candidates.map(({ score }) => score).sort((a, b) => b - a);
    const shown = (await rows.locator('td:first-of-type').allInnerTexts()).map(Number);
    scores.forEach((score, i) => assert.ok(Math.abs(shown[i] - score) < 6e-4, `row ${i}: ${shown[i]}, ${score}`));
    const current = by('trade-off').locator('tbody tr[aria-current=true]');
    assert.equal(await current.count(), 1, 'one is marked as chosen');
    const place = scores.indexOf(auto.candidates[auto.chosen].score);
    assert.ok(Math.abs(Number(await current.locator('td').first().innerText()) - scores[place]) < 6e-4);

    const { folder } = await commandLine(path, '--method', 'auto');
    const theirs = JSON.parse(readFileSync(join(folder, 'metrics.json'), 'utf8'));
    assert.deepEqual(settings, theirs.settings, 'the command line proposes the same');
    await masksAgainst(tab, folder, test);
  });

  it('broke nothing', () => assert.deepEqual(tab.faults, []));
});

describe('a network of the person', () => {
  const weights = join(ROOT, 'models/weights/deeplabv3_mobilenet_v2-voc21.f16.safetensors');
  const name = 'мой network.safetensors';
  /** What the page shows of the network in use. */
  const inUse = (by) => by('network').getAttribute('data-name');
  const untilInUse = ({ page }, expected) =>
    page.locator(`[data-testid=network][data-name="${expected}"]`).waitFor({ timeout: MINUTE });
  const kept = (by) => by('network').locator('option').count().then((count) => count - 1);
  const modelOf = (page) => new URL(page.url()).searchParams.get('model');
  const openClip = async ({ by }) => {
    await by('file-input').setInputFiles(join(SCRATCH, 'three frames.mp4'));
    await opened(by);
  };
  const metrics = async ({ page, by }) => JSON.parse(readFileSync(await download(page, by('download-metrics')), 'utf8'));

  it('is fetched by pieces, goes on where it was cut, and is kept', async () => {
    host.files.set(name, weights);
    const pieces = () => host.requests.filter(({ path, range }) => path.endsWith(name) && range !== 'bytes=0-0');
    // The second piece does not come.
    host.refuse = ({ range }) => range?.startsWith('bytes=4194304-') ?? false;
    const view = await open(browser, host, { device: 'cpu', model: `./${name}` });
    const { page, by, faults } = view;
    await by('error').waitFor({ timeout: MINUTE });
    assert.match(await by('error').innerText(), /503/);
    assert.deepEqual(faults.splice(0).filter((fault) => !fault.includes('503')), []);
    const size = readFileSync(weights).length;
    host.refuse = () => false;
    host.requests.length = 0;
    await page.reload();
    await openClip(view);
    await untilInUse(view, 'мой network');
    assert.deepEqual(pieces().map(({ range }) => range), [`bytes=4194304-${size - 1}`]);
    assert.equal(modelOf(page), `./${name}`, 'the address stays');
    // From now on that state of the file is here already.
    host.requests.length = 0;
    for (let time = 0; time < 2; time += 1) {
      await page.reload();
      await openClip(view);
      await untilInUse(view, 'мой network');
      assert.deepEqual(pieces(), []);
    }
    assert.equal(await kept(by), 1);
    // It says what the same weights say.
    await stabilize(view);
    const theirs = await metrics(view);
    assert.equal(theirs.model, 'мой network');
    await looks(page, 'network');
    await by('network').selectOption('');
    await page.locator('[data-testid=network]:not([data-name="мой network"])').waitFor({ timeout: MINUTE });
    assert.equal(modelOf(page), null);
    await stabilize(view);
    assert.deepEqual((await metrics(view)).summary, theirs.summary);
    assert.deepEqual(faults, []);
    await view.close();
  });

  it('comes from a file, is there again by its SHA-256, and can be forgotten', async () => {
    const view = await open(browser, host, { device: 'cpu' });
    const { page, by, faults } = view;
    await openClip(view);
    await by('network-file').setInputFiles({ name: 'mine.safetensors', mimeType: '', buffer: readFileSync(weights) });
    await untilInUse(view, 'mine');
    const sha256 = createHash('sha256').update(readFileSync(weights)).digest('hex');
    assert.equal(modelOf(page), sha256);
    await page.reload();
    await openClip(view);
    await untilInUse(view, 'mine');
    await by('forget-network').click();
    await page.locator('[data-testid=network]:not([data-name=mine])').waitFor({ timeout: MINUTE });
    assert.deepEqual([await kept(by), modelOf(page)], [0, null]);
    await page.goto(`${host.url}?device=cpu&model=${sha256}`);
    await by('error').waitFor({ timeout: MINUTE });
    assert.match(await by('error').innerText(), /keeps no network/);
    assert.deepEqual(faults, []);
    await view.close();
  });

  it('that is none is refused, and the one before goes on', async () => {
    const view = await open(browser, host, { device: 'cpu' });
    const { page, by, faults } = view;
    await openClip(view);
    const before = await inUse(by);
    const whole = readFileSync(weights);
    const alien = Buffer.from('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(alien.length));
    for (const [buffer, words] of [
      [whole.subarray(0, whole.length / 2), /not a whole safetensors file/],
      [Buffer.alloc(0), /not a whole safetensors file/],
      [Buffer.from('not weights'.repeat(100)), /not a whole safetensors file/],
      [Buffer.concat([length, alien, Buffer.alloc(4)]), /network/],
    ]) {
      await by('network-file').setInputFiles({ name: 'bad.safetensors', mimeType: '', buffer });
      await by('error').waitFor({ timeout: MINUTE });
      assert.match(await by('error').innerText(), words);
      assert.deepEqual([await inUse(by), await kept(by)], [before, 0]);
      await page.locator('.problem .icon-button').click();
    }
    const { error } = await stabilize(view);
    assert.equal(error, undefined);
    assert.deepEqual(faults, []);
    await view.close();
  });
});

describe('files that cannot be used', () => {
  let tab;

  before(async () => {
    tab = await open(browser, host, { device: 'cpu' });
  });
  after(() => tab?.close());

  const files = {
    'notes.mp4': 'NotAVideo',
    'empty.mp4': 'NotAVideo',
    'no-index.mp4': '(NotAVideo|Damaged)',
    'sound.m4a': 'NoVideoTrack',
  };
  for (const [name, code] of Object.entries(files)) {
    it(`${name} is refused in words`, { timeout: MINUTE }, async (test) => {
      const { by, page } = tab;
      await page.reload();
      await by('file-input').setInputFiles(join(SCRATCH, name));
      const alert = page.locator('[role=alert][data-testid=error]');
      await alert.waitFor({ timeout: MINUTE });
      const words = (await alert.innerText()).replace(/\s+/g, ' ');
      test.diagnostic(words);
      assert.match(await alert.getAttribute('data-code'), new RegExp(`^${code}$`));
      assert.match(words, /choose/i, 'it says what to do');
      const theirs = await commandLine(join(SCRATCH, name));
      assert.ok(theirs.error, 'the command line refuses it too');
    });
  }

  for (const [name, what] of [['cut-short.mp4', 'cut short'], ['resized.webm', 'of another size from the middle on']]) {
    it(`a video that is ${what} ends as on the command line`, { timeout: MINUTE }, async (test) => {
      const { by, page } = tab;
      await page.reload();
      await by('file-input').setInputFiles(join(SCRATCH, name));
      await by('stabilize').or(by('error')).first().waitFor({ timeout: MINUTE });
      const ours = (await by('error').count()) ? { error: await by('error').innerText() } : await stabilize(tab);
      const theirs = await commandLine(join(SCRATCH, name));
      test.diagnostic(`page: ${JSON.stringify(ours)}; command line: ${JSON.stringify(theirs.error ?? 'masks')}`);
      assert.equal(Boolean(ours.error), Boolean(theirs.error), 'the same end on both sides');
      assert.match(await page.locator('main').innerText(), /cut short|all of one size/, 'the page says what is wrong');
      if (theirs.folder) await masksAgainst(tab, theirs.folder, test);
    });
  }

  it('the page goes on to work after an error', { timeout: MINUTE }, async () => {
    const { by, page } = tab;
    await page.reload();
    await by('file-input').setInputFiles(join(SCRATCH, 'notes.mp4'));
    await by('error').waitFor();
    await looks(page, 'error');
    await by('try-sample').click();
    await opened(by);
    assert.equal(await by('error').count(), 0, 'the error is gone');
  });

  it('broke nothing', () => assert.deepEqual(tab.faults, []));
});

describe('the worker on the processor', () => {
  // Where `WebAssembly.validate` says no to relaxed SIMD, the plain one; the other where Chromium has its say.
  const workers = {
    'worker-cpu-relaxed': { has: true, script: undefined },
    'worker-cpu': { has: false, script: () => (WebAssembly.validate = () => false) },
  };
  for (const [worker, { has, script }] of Object.entries(workers)) {
    it(`${has ? 'with' : 'without'} relaxed SIMD is the one fetched, and gives the command line's masks`, { timeout: MINUTE }, async (test) => {
      const binary = readFileSync(join(DIST, `${worker}_bg.wasm`), 'latin1');
      assert.equal(binary.includes('relaxed-simd'), has, 'the features that the binary needs');
      const path = join(SCRATCH, 'three frames.mp4');
      const { folder } = await commandLine(path);
      const before = host.requests.length;
      const tab = await open(browser, host, { device: 'cpu' }, { script });
      try {
        await tab.by('file-input').setInputFiles(path);
        await opened(tab.by);
        assert.equal((await stabilize(tab)).error, undefined);
        await masksAgainst(tab, folder, test);
        const fetched = host.requests.slice(before).map((request) => basename(request.path));
        const binaries = fetched.filter((name) => /^worker.*\.wasm$/.test(name));
        assert.deepEqual(binaries, [`${worker}_bg.wasm`]);
        assert.deepEqual(tab.faults, []);
      } finally {
        await tab.close();
      }
    });
  }
});

describe('the address', () => {
  it('may call a class by the name that others give it', { timeout: MINUTE }, async () => {
    const tab = await open(browser, host, { device: 'cpu', classes: 'couch,dog' });
    try {
      await tab.by('file-input').setInputFiles(join(SCRATCH, 'upright.mp4'));
      await opened(tab.by);
      await tab.by('classes').locator('[data-class=sofa][aria-pressed=true]').waitFor({ timeout: MINUTE });
      assert.equal(await tab.by('classes').locator('[data-class=couch]').count(), 0);
      assert.equal(new URL(tab.page.url()).searchParams.get('classes'), 'sofa,dog');
      assert.deepEqual(tab.faults, []);
    } finally {
      await tab.close();
    }
  });
});

describe('WebGPU, on the software adapter', () => {
  it('gives nearly the masks of the command line', { timeout: 4 * MINUTE }, async (test) => {
    const path = join(SCRATCH, 'three frames.mp4');
    const { folder } = await commandLine(path);
    const tab = await open(browser, host, { device: 'webgpu' });
    try {
      await tab.by('file-input').setInputFiles(path);
      await opened(tab.by);
      const start = Date.now();
      assert.equal((await stabilize(tab, 3.5 * MINUTE)).error, undefined);
      test.diagnostic(`3 frames in ${((Date.now() - start) / 1000).toFixed(1)} s`);
      assert.equal(await tab.by('device').getAttribute('data-device'), 'webgpu');
      await masksAgainst(tab, folder, test);
      assert.deepEqual(tab.faults, []);
    } finally {
      await tab.close();
    }
  });

  it('is not taken unasked where it is software', { timeout: MINUTE }, async (test) => {
    const before = host.requests.length;
    const tab = await open(browser, host);
    try {
      await tab.page.locator('[data-testid=device][data-device=cpu]').waitFor({ timeout: MINUTE });
      test.diagnostic(await tab.by('device').innerText());
      assert.match(await tab.by('device').innerText(), /software/);
      const fetched = host.requests.slice(before).map(({ path }) => path);
      assert.ok(!fetched.some((path) => path.includes('webgpu')), 'the large worker is not fetched');
    } finally {
      await tab.close();
    }
  });
});
