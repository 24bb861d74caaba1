// A network twice in one worker, by ours and by onnxruntime-web: chromium.mjs calls these.

const MEAN = [0.485, 0.456, 0.406];
const DEVIATION = [0.229, 0.224, 0.225];
/** Inferences until V8 has compiled all that matters for good. */
const WARM_UP = 5;

/** What does one inference and gives the logits, by name. */
let sides;

const bytes = async (name) => new Uint8Array(await (await fetch(`/data/${name}`)).arrayBuffer());

/** What torchvision makes of a picture: channel by channel, by mean and deviation. */
function input(picture, side) {
  const places = side * side;
  const values = new Float32Array(3 * places);
  for (let place = 0; place < places; place++) {
    for (let c = 0; c < 3; c++) values[c * places + place] = (picture[3 * place + c] / 255 - MEAN[c]) / DEVIATION[c];
  }
  return values;
}

/** Brings both up and compares them: the largest difference of a logit, as a share of the largest logit. */
self.prepare = async ({ build, device, side }) => {
  const names = ['weights.safetensors', 'network.onnx', 'picture'];
  const [weights, onnx, picture] = await Promise.all(names.map(bytes));
  const { default: init, Network } = await import(`/ours/${build}/steadymask_bench.js`);
  await init();
  const network = await Network.load(weights, device, side, side, picture);
  const [file, provider] = device === 'cpu' ? ['ort.wasm.min.mjs', 'wasm'] : ['ort.webgpu.min.mjs', 'webgpu'];
  const ort = await import(`/rival/${file}`);
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(onnx, { executionProviders: [provider] });
  const x = new ort.Tensor('float32', input(picture, side), [1, 3, side, side]);
  sides = { ours: () => network.infer(), theirs: async () => (await session.run({ x })).y.data };
  for (const name in sides) await self.run(name, WARM_UP);
  const [ours, theirs] = [await sides.ours(), await sides.theirs()];
  if (ours.length !== theirs.length) throw new Error(`${ours.length} logits here, ${theirs.length} there`);
  let [largest, apart] = [0, 0];
  theirs.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value));
    apart = Math.max(apart, Math.abs(value - ours[i]));
  });
  return { apart: apart / largest };
};

/** Seconds of one inference, of so many. */
self.run = async (name, times) => {
  const start = performance.now();
  for (let i = 0; i < times; i++) await sides[name]();
  return { seconds: (performance.now() - start) / 1e3 / times };
};

/** What WebGPU runs on; `null` where it has nothing, or computes in software. */
self.adapter = async () => {
  const info = (await navigator.gpu?.requestAdapter())?.info;
  if (!info || info.isFallbackAdapter || info.architecture === 'swiftshader') return null;
  return [info.vendor, info.architecture, info.description].filter(Boolean).join(' ') || 'unnamed';
};

/** That the functions above are there. */
self.loaded = true;
