// The bridge to the browser's codecs, for the worker. The only JavaScript of the project that is written by hand.
//
// mediabunny reads and writes containers, WebCodecs decodes and encodes. What is thrown here has a `code` that
// engine/protocol.rs knows as FailureCode.

let loading;

/** The library, fetched when it is first needed; it lies beside the worker's files. */
async function mediabunny() {
    loading ??= import(new URL("./mediabunny.min.mjs", self.location.href).href);
    try {
        return await loading;
    } catch (error) {
        loading = undefined;
        throw failure("start", `The video library could not be loaded: ${error.message}`);
    }
}

function failure(code, message) {
    return Object.assign(new Error(message), { code });
}

/** Runs `work`; an error that has no code of its own gets this one, and `told` before its message. */
async function or(code, told, work) {
    try {
        return await work();
    } catch (error) {
        throw error.code ? error : failure(code, `${told} (${error.message ?? error})`);
    }
}

/** Lets waiting messages be handled, without the 4 ms that a timer would take. */
export function pause() {
    return new Promise((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
            port1.close();
            resolve();
        };
        port2.postMessage(null);
    });
}

/** An edit list gives times before 0 to what only serves to decode what follows. */
function isShown({ timestamp }) {
    return timestamp > -1e-6;
}

/** An opened video: its first video track. */
export class Video {
    /** Finds out what `blob` is; throws where it cannot be decoded. */
    static async open(blob) {
        if (!("VideoDecoder" in self)) {
            throw failure("no_web_codecs", "This browser cannot decode video for pages (it lacks WebCodecs). Use a current Chrome, Edge, Firefox or Safari");
        }
        const { ALL_FORMATS, BlobSource, EncodedPacketSink, Input, VideoSampleSink } = await mediabunny();
        const input = new Input({ source: new BlobSource(blob), formats: ALL_FORMATS });
        try {
            if (!(await input.canRead())) {
                throw failure("not_a_video", "This file is not a video of a kind that is known here (MP4, MOV, WebM, MKV, …)");
            }
            return await or("damaged", "The file is damaged or cut short", async () => {
                const track = await input.getPrimaryVideoTrack();
                if (!track) {
                    // Even a sound file has a track; a video whose index is at its end has none when it is cut short.
                    throw (await input.getTracks()).length
                        ? failure("no_video_track", "This file has no video in it")
                        : failure("damaged", "The file is damaged or cut short: the index of its tracks is missing");
                }
                const codec = await track.getCodec();
                if (!codec || !(await track.canDecode())) {
                    const name = (await track.getCodecParameterString()) ?? codec ?? (await track.getInternalCodecId());
                    throw failure("codec", `This browser cannot decode the video's codec (${name ?? "unknown"}). Convert it to H.264 or VP9`);
                }
                const times = [];
                for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
                    if (isShown(packet)) times.push(packet.timestamp);
                }
                if (!times.length) throw failure("no_frames", "This video has no frames");
                const video = new Video();
                video.input = input;
                video.sink = new VideoSampleSink(track);
                video.codec = codec;
                video.colorSpace = await track.getColorSpace();
                video.width = await track.getCodedWidth();
                video.height = await track.getCodedHeight();
                video.rotation = await track.getRotation();
                /** When each frame is shown, in seconds, as the container tells. */
                video.times = Float64Array.from(times).sort();
                video.duration = (await track.computeDuration()) - video.times[0];
                return video;
            });
        } catch (error) {
            input.dispose();
            throw error;
        }
    }

    /** The frames from the one that is shown at `start` seconds on; all frames where it is undefined. */
    frames(start) {
        return new Frames(this, start);
    }

    /** The frame that is shown at `time` seconds, upright, as an ImageBitmap; null where there is none. */
    async bitmap(time) {
        const sample = await or("damaged", "This frame cannot be decoded", () => this.sampleAt(time));
        if (!sample) return null;
        try {
            const canvas = new OffscreenCanvas(...(this.rotation % 180 ? [this.height, this.width] : [this.width, this.height]));
            const context = canvas.getContext("2d");
            sample.draw(context, 0, 0, canvas.width, canvas.height);
            return canvas.transferToImageBitmap();
        } finally {
            sample.close();
        }
    }

    /** A step forward goes on where the last one ended; any other begins at the key frame before `time`. */
    async sampleAt(time) {
        const step = time - this.lastTime;
        this.lastTime = time;
        if (step > 0 && step < 0.5) {
            this.player ??= this.sink.samples(time);
            for (;;) {
                const { value: sample, done } = await this.player.next();
                if (done) break;
                if (sample.timestamp > time - 2e-5) return sample;
                sample.close();
            }
        }
        end(this.player);
        this.player = undefined;
        return this.sink.getSample(time);
    }

    close() {
        end(this.player);
        this.input.dispose();
    }
}

/** The frames of a video, one after another. */
export class Frames {
    constructor(video, start) {
        this.video = video;
        this.samples = video.sink.samples(start);
        this.count = 0;
    }

    /** The next frame's pixels and what they mean; null at the end. */
    async next() {
        return or("damaged", `The video is damaged or cut short: frame ${this.count} cannot be decoded`, async () => {
            for (;;) {
                const { value: sample, done } = await this.samples.next();
                if (done) return null;
                try {
                    if (!isShown(sample)) continue;
                    this.count += 1;
                    return await pixelsOf(sample, this.video.colorSpace);
                } finally {
                    sample.close();
                }
            }
        });
    }

    /** Ends early. */
    close() {
        end(this.samples);
    }
}

/** Ends a generator of frames early; where the decoder has failed there is nothing left to end. */
function end(samples) {
    samples?.return().catch(() => {});
}

/** Copies a frame out of the decoder: planar or semi-planar 4:2:0 as it is and without padding, else RGBA. */
async function pixelsOf(sample, trackColorSpace) {
    const { width, height } = sample.visibleRect;
    const [chromaWidth, chromaHeight] = [(width + 1) >> 1, (height + 1) >> 1];
    const luma = { offset: 0, stride: width };
    const chroma = width * height;
    const chromaSize = chromaWidth * chromaHeight;
    const layouts = {
        I420: [luma, { offset: chroma, stride: chromaWidth }, { offset: chroma + chromaSize, stride: chromaWidth }],
        NV12: [luma, { offset: chroma, stride: 2 * chromaWidth }],
    };
    const layout = layouts[sample.format];
    const bytes = new Uint8Array(layout ? chroma + 2 * chromaSize : 4 * chroma);
    await sample.copyTo(bytes, layout ? { layout } : { format: "RGBA", layout: [{ offset: 0, stride: 4 * width }] });
    return {
        format: layout ? sample.format : "RGBA",
        bytes,
        width,
        height,
        timestamp: sample.timestamp,
        duration: sample.duration,
        matrix: trackColorSpace.matrix ?? "",
        fullRange: trackColorSpace.fullRange ?? false,
    };
}

/** Makes a video file of pictures: MP4 with H.264 where this browser can encode it, else WebM. */
export class Encoder {
    static async open(width, height) {
        if (!("VideoEncoder" in self)) throw failure("encode", "This browser cannot encode video");
        const { BufferTarget, Mp4OutputFormat, Output, Quality, VideoSampleSource, WebMOutputFormat, getFirstEncodableVideoCodec } = await mediabunny();
        // H.264 halves the chroma planes' sides: odd ones need another codec.
        const codecs = [...(width % 2 || height % 2 ? [] : ["avc"]), "vp9", "vp8", "av1"];
        const codec = await getFirstEncodableVideoCodec(codecs, { width, height });
        if (!codec) throw failure("encode", `This browser cannot encode video of ${width}×${height}`);
        const encoder = new Encoder();
        encoder.width = width;
        encoder.height = height;
        encoder.source = new VideoSampleSource({ codec, quality: new Quality("high") });
        encoder.output = new Output({
            format: codec === "avc" ? new Mp4OutputFormat({ fastStart: "in-memory" }) : new WebMOutputFormat(),
            target: new BufferTarget(),
        });
        encoder.extension = codec === "avc" ? "mp4" : "webm";
        encoder.output.addVideoTrack(encoder.source);
        await or("encode", "The encoder did not start", () => encoder.output.start());
        return encoder;
    }

    /** Takes a picture: RGBA bytes, shown from `timestamp` for `duration` seconds. */
    async add(bytes, timestamp, duration) {
        const { VideoSample } = await mediabunny();
        const { width: codedWidth, height: codedHeight } = this;
        const sample = new VideoSample(bytes, { format: "RGBX", codedWidth, codedHeight, timestamp, duration });
        try {
            await or("encode", "The video could not be encoded", () => this.source.add(sample));
        } finally {
            sample.close();
        }
    }

    /** The whole file. */
    async finish() {
        await or("encode", "The video could not be finished", () => this.output.finalize());
        return new Blob([this.output.target.buffer], { type: `video/${this.extension}` });
    }

    /** Gives up. */
    async cancel() {
        await this.output.cancel();
    }
}
