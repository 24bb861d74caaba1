#!/usr/bin/env python3
"""Makes the sample clip, web/assets/sample.mp4, from photographs that anybody may redistribute.

Two shots with a hard cut between them: a cat that leans over a cup of coffee (class `cat`), and an
astronaut before a launch pad at dusk (class `person`). Each is a cut-out with a soft edge that moves over
another photograph. Everything that makes a per-frame network flicker on real footage is laid over them:
a shaky hand, motion blur, a hunting focus, exposure that pumps, a passing shadow, sensor noise, and the
losses of H.264. All randomness comes from SEED.

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python make_sample.py ../../web/assets/sample.mp4

`--truth FOLDER` also writes the cut-outs' masks, one 8-bit PNG a frame: an approximate ground truth.
Needs ffmpeg with libx264.
"""

import argparse
import subprocess
from pathlib import Path

import cv2
import numpy as np
from skimage import data

SEED = 20261121
WIDTH, HEIGHT = 640, 360
FPS = 24
FRAMES_PER_SHOT = 44
SHUTTER_SAMPLES = 6  # renderings averaged into one frame: motion blur
SHUTTER = 0.5  # the share of a frame's time for which the shutter is open
GAMMA = 2.2

# Outlines traced by hand, in pixels of the photographs. GrabCut moves them onto the real edges.
ASTRONAUT_OUTLINE = [
    (152, 88), (160, 50), (182, 26), (230, 14), (275, 28), (299, 60), (299, 108), (282, 125), (266, 140),
    (258, 168), (280, 188), (301, 222), (304, 250), (335, 264), (346, 290), (360, 344), (400, 342), (440, 352),
    (475, 385), (490, 430), (500, 455), (512, 470), (512, 540), (30, 540), (24, 470), (18, 430), (22, 385),
    (32, 325), (52, 278), (84, 236), (116, 208), (118, 184), (140, 156), (186, 148), (182, 130), (160, 112),
]
CAT_OUTLINE = [
    (-30, -30), (405, -30), (386, 26), (350, 74), (360, 110), (362, 142), (348, 176), (338, 215), (322, 252),
    (300, 276), (280, 292), (262, 330), (-30, 330), (-30, 140), (24, 128), (36, 80), (30, 40), (36, -30),
]


def linear(picture):
    """sRGB-like u8 → linear light, float32, 0 … 1."""
    return (picture.astype(np.float32) / 255.0) ** GAMMA


def cut_out(picture, outline, search=9, edge=1.2):
    """The subject inside `outline` as premultiplied linear RGBA, float32 `[height, width, 4]`.

    GrabCut decides within `search` pixels of the outline. Colours near the edge are replaced by those from
    farther inside, so that no rim of the old background comes along. `edge` is the softness in pixels.
    """
    height, width = picture.shape[:2]
    pad = search + 1  # beyond the photograph the outline goes on, so that its border is not taken for an edge
    inside = np.zeros((height + 2 * pad, width + 2 * pad), np.uint8)
    cv2.fillPoly(inside, [np.array(outline, np.int32) + pad], 1)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * search + 1,) * 2)
    labels = np.where(inside == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[cv2.erode(inside, disk, borderValue=1) == 1] = cv2.GC_FGD
    labels[cv2.dilate(inside, disk) == 0] = cv2.GC_BGD
    labels = labels[pad:-pad, pad:-pad].copy()

    cv2.setRNGSeed(SEED)
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    cv2.grabCut(bgr, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_MASK)
    hard = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    hard = cv2.morphologyEx(hard, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(hard)
    largest = 1 + int(np.argmax(stats[1:count, cv2.CC_STAT_AREA]))
    hard = (parts == largest).astype(np.uint8)

    narrow = cv2.erode(hard, np.ones((3, 3), np.uint8), borderValue=1)
    alpha = cv2.GaussianBlur(narrow.astype(np.float32), (0, 0), edge, borderType=cv2.BORDER_REPLICATE)
    core = cv2.erode(hard, np.ones((7, 7), np.uint8), borderValue=1).astype(np.float32)
    light = linear(picture)
    spread = cv2.GaussianBlur(light * core[..., None], (0, 0), 4.0)
    weight = cv2.GaussianBlur(core, (0, 0), 4.0)[..., None]
    colour = np.where(core[..., None] > 0, light, spread / np.maximum(weight, 1e-4))
    return np.dstack([colour * alpha[..., None], alpha]).astype(np.float32)


def backdrop(picture, blur):
    """A whole photograph as an opaque layer, softened as if it lay out of focus."""
    light = cv2.GaussianBlur(linear(picture), (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    return np.dstack([light, np.ones(light.shape[:2], np.float32)])


def wobble(rng, frequencies, amplitude):
    """A smooth random function of time in seconds: a sum of sinusoids, louder where slower."""
    parts = [(f, rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.6, 1.0) / f) for f in frequencies]
    norm = amplitude / sum(a for _, _, a in parts)
    return lambda t: norm * sum(a * np.sin(2.0 * np.pi * f * t + p) for f, p, a in parts)


def place(layer, centre, anchor, scale, angle):
    """The layer seen by the camera: its point `anchor` at `centre` of the frame, scaled, turned by degrees."""
    turn = cv2.getRotationMatrix2D(anchor, angle, scale)
    turn[:, 2] += np.subtract(centre, anchor)
    border = cv2.BORDER_REPLICATE if layer[..., 3].min() == 1.0 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(layer, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=border)


class Shot:
    """One camera position: a backdrop, a subject, and their motion through time."""

    def __init__(self, rng, behind, subject):
        """`behind` and `subject`: dict(layer, anchor, start, end, scale=(from, to), turn) in pixels of the frame."""
        self.rng, self.behind, self.subject = rng, behind, subject
        self.seconds = FRAMES_PER_SHOT / FPS
        self.shake = [wobble(rng, (0.7, 1.9, 4.3, 7.1), 9.0) for _ in range(2)]
        self.roll = wobble(rng, (0.5, 1.3), 1.2)
        self.focus = wobble(rng, (0.8, 2.1), 1.0)
        self.exposure = wobble(rng, (0.6, 1.7, 3.9), 0.32)

    def layer(self, spec, t, parallax):
        """One layer at time t: eased from start to end, shaken with the camera by `parallax`."""
        u = t / self.seconds
        ease = u * u * (3.0 - 2.0 * u)
        centre = [a + (b - a) * ease + parallax * s(t) for a, b, s in zip(spec["start"], spec["end"], self.shake)]
        scale = spec["scale"][0] + (spec["scale"][1] - spec["scale"][0]) * ease
        return place(spec["layer"], centre, spec["anchor"], scale, spec["turn"](t) + self.roll(t))

    def frame(self, index):
        """Frame `index` as u8 RGB, and the subject's coverage as u8 0 … 255."""
        light = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        cover = np.zeros((HEIGHT, WIDTH), np.float32)
        for sample in range(SHUTTER_SAMPLES):
            t = (index + SHUTTER * sample / SHUTTER_SAMPLES) / FPS
            near = self.layer(self.subject, t, 1.0)
            far = self.layer(self.behind, t, 0.6)[..., :3]
            light += near[..., :3] + far * (1.0 - near[..., 3:])
            cover += near[..., 3]
        light, cover = light / SHUTTER_SAMPLES, cover / SHUTTER_SAMPLES

        t = index / FPS
        blur = 0.3 + 1.6 * max(0.0, self.focus(t))
        light = cv2.GaussianBlur(light, (0, 0), blur)
        light *= self.lighting(t, index)
        return self.sensor(light), np.rint(cover * 255.0).astype(np.uint8)

    def lighting(self, t, index):
        """Gain a pixel: pumping exposure, lamps that beat against the shutter, a shadow that passes by."""
        gain = np.exp(self.exposure(t)) * (1.0 + 0.18 * (index % 3 - 1) + 0.10 * self.rng.standard_normal())
        x = np.arange(WIDTH, dtype=np.float32)[None, :] / WIDTH
        y = np.arange(HEIGHT, dtype=np.float32)[:, None] / HEIGHT
        middle = 1.5 - 2.0 * t / self.seconds + 0.25 * y
        shadow = 0.82 * np.exp(-(((x - middle) / 0.17) ** 2))
        return (gain * (1.0 - shadow))[..., None].astype(np.float32)

    def sensor(self, light):
        """Shot and read noise in linear light, then gamma and 8 bits."""
        deviation = np.sqrt(0.0060 * np.clip(light, 0.0, 1.0) + 0.00060)
        noise = cv2.GaussianBlur(self.rng.standard_normal(light.shape).astype(np.float32), (0, 0), 0.6)
        noisy = np.clip(light + deviation * noise * 1.6, 0.0, 1.0)
        return np.rint(noisy ** (1.0 / GAMMA) * 255.0).astype(np.uint8)


def shots(rng):
    """The two shots, in order."""
    cat = cut_out(data.chelsea(), CAT_OUTLINE, edge=1.6)
    coffee = backdrop(data.coffee(), blur=1.6)
    nod = wobble(rng, (0.6, 1.1), 3.0)
    yield Shot(
        rng,
        dict(layer=coffee, anchor=(300, 200), start=(385, 178), end=(345, 186), scale=(1.22, 1.26), turn=lambda t: 0.0),
        dict(layer=cat, anchor=(200, 150), start=(60, 186), end=(150, 178), scale=(1.40, 1.36), turn=nod),
    )

    astronaut = cut_out(data.astronaut(), ASTRONAUT_OUTLINE)
    astronaut[..., :3] *= np.array([0.34, 0.38, 0.50], np.float32)  # dusk: less light, and bluer
    pad = backdrop(data.rocket(), blur=0.9)
    sway = wobble(rng, (0.5, 0.9), 2.0)
    yield Shot(
        rng,
        dict(layer=pad, anchor=(320, 240), start=(350, 215), end=(290, 212), scale=(1.22, 1.26), turn=lambda t: 0.0),
        dict(layer=astronaut, anchor=(256, 256), start=(210, 214), end=(330, 206), scale=(0.82, 0.88), turn=sway),
    )


def encoder(path):
    """ffmpeg reading raw RGB on its standard input. One thread and bit-exact flags: the same bytes every time."""
    return subprocess.Popen(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-",
         "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+bitexact,"
                "format=yuv420p",
         "-c:v", "libx264", "-preset", "slow", "-crf", "31", "-threads", "1", "-flags", "+bitexact",
         "-x264-params", "open-gop=0:keyint=48",
         "-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
         "-fflags", "+bitexact", "-map_metadata", "-1", "-movflags", "+faststart", str(path)],
        stdin=subprocess.PIPE,
    )


def main():
    """Renders both shots into the encoder."""
    parser = argparse.ArgumentParser(description="Make the sample clip")
    parser.add_argument("output", type=Path, help="the .mp4 to write")
    parser.add_argument("--truth", type=Path, help="also write the subject's masks into this folder")
    arguments = parser.parse_args()
    if arguments.truth:
        arguments.truth.mkdir(parents=True, exist_ok=True)

    ffmpeg = encoder(arguments.output)
    number = 0
    for shot in shots(np.random.default_rng(SEED)):
        for index in range(FRAMES_PER_SHOT):
            picture, cover = shot.frame(index)
            ffmpeg.stdin.write(picture.tobytes())
            if arguments.truth:
                cv2.imwrite(str(arguments.truth / f"{number:05}.png"), np.where(cover > 127, 255, 0).astype(np.uint8))
            number += 1
    ffmpeg.stdin.close()
    if ffmpeg.wait() != 0:
        raise SystemExit(f"ffmpeg failed with status {ffmpeg.returncode}")
    print(f"{arguments.output}: {number} frames, {arguments.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
