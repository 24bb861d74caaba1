#!/usr/bin/env python3
"""Makes the sample clip, web/assets/sample.mp4, from photographs that anybody may redistribute.

Two shots with a hard cut between them: a cat in front of a lawn (class `cat`), and an astronaut before a
launch pad at dusk (class `person`). Each is a cut-out with a soft edge that moves over another photograph, held
by a shaky hand. Most frames are good. Every few frames comes one of the short events at which a per-frame
network fails and a neighbouring frame does not: a knock that smears the picture, or a drop of the bit rate that
leaves coarse blocks. All randomness comes from SEED.

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
SLICE = 72  # rows that lose their detail together when the bit rate drops

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


def backdrop(picture, blur, tint=(1.0, 1.0, 1.0)):
    """A whole photograph, grey or in colour, as an opaque layer: tinted, and softened as if out of focus."""
    light = linear(picture if picture.ndim == 3 else np.dstack([picture] * 3)) * np.array(tint, np.float32)
    light = cv2.GaussianBlur(light, (0, 0), blur, borderType=cv2.BORDER_REFLECT)
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
    # A backdrop goes on beyond its photograph; so does a subject that the photograph cuts off, by a few pixels.
    border = cv2.BORDER_REFLECT if layer[..., 3].min() == 1.0 else cv2.BORDER_REPLICATE
    return cv2.warpAffine(layer, turn, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=border)


def smear(light, length, angle):
    """The picture as a camera sees it that is knocked while the shutter is open: a streak of `length` pixels."""
    size = length | 1
    line = np.zeros((size, size), np.float32)
    line[size // 2] = 1.0
    line = cv2.warpAffine(line, cv2.getRotationMatrix2D((size // 2, size // 2), angle, 1.0), (size, size))
    return cv2.filter2D(light, -1, line / line.sum(), borderType=cv2.BORDER_REFLECT)


def starve(picture, quality, sizes):
    """The picture when bits run out: slice by slice, blocks of the given sizes in pixels (1: as it was).

    The blocks are the pixels of a smaller JPEG of `quality` 0 … 100.
    """
    slices = []
    for top, size in zip(range(0, HEIGHT, SLICE), sizes, strict=True):
        coarse = picture
        if size > 1:
            coarse = cv2.resize(picture, (WIDTH // size, HEIGHT // size), interpolation=cv2.INTER_AREA)
            jpeg = cv2.imencode(".jpg", coarse[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            coarse = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1]
            coarse = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
        slices.append(coarse[top : top + SLICE])
    return np.vstack(slices)


def schedule(rng, quality):
    """What befalls each frame of a shot: None, `("knock", length, angle)` or `("starve", quality, sizes)`."""
    events = [None] * FRAMES_PER_SHOT
    index = 2
    while index < FRAMES_PER_SHOT - 2:
        if rng.random() < 0.2:
            events[index] = ("knock", int(rng.integers(22, 34)), rng.uniform(35.0, 60.0))
            index += 1
        else:
            for _ in range(rng.integers(1, 3)):
                sizes = rng.choice((1, 4, 8), HEIGHT // SLICE, p=(0.15, 0.55, 0.3)).tolist()
                events[index] = ("starve", quality, sizes)
                index += 1
        index += int(rng.integers(1, 4))
    return events


class Shot:
    """One camera position: a backdrop, a subject, and their motion through time."""

    def __init__(self, rng, behind, subject, quality):
        """`behind` and `subject`: dict(layer, anchor, start, end, scale=(from, to), turn) in pixels of the frame.

        `quality` as in `starve`: low enough for the network to lose the subject in part.
        """
        self.rng, self.behind, self.subject = rng, behind, subject
        self.seconds = FRAMES_PER_SHOT / FPS
        self.shake = [wobble(rng, (0.7, 1.9, 4.3), 7.0) for _ in range(2)]
        self.roll = wobble(rng, (0.5, 1.3), 1.0)
        self.focus = wobble(rng, (0.8, 2.1), 1.0)
        self.exposure = wobble(rng, (0.6, 1.7), 0.08)
        self.events = schedule(rng, quality)

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
        light = cv2.GaussianBlur(light, (0, 0), 0.3 + max(0.0, self.focus(t))) * np.float32(np.exp(self.exposure(t)))
        event, *how = self.events[index] or (None,)
        if event == "knock":
            light = smear(light, *how)
        picture = self.sensor(light)
        if event == "starve":
            picture = starve(picture, *how)
        return picture, np.rint(cover * 255.0).astype(np.uint8)

    def sensor(self, light):
        """Shot and read noise in linear light, then gamma and 8 bits."""
        deviation = np.sqrt(0.0060 * np.clip(light, 0.0, 1.0) + 0.00060)
        noise = cv2.GaussianBlur(self.rng.standard_normal(light.shape).astype(np.float32), (0, 0), 0.6)
        noisy = np.clip(light + deviation * noise * 0.3, 0.0, 1.0)
        return np.rint(noisy ** (1.0 / GAMMA) * 255.0).astype(np.uint8)


def shots(rng):
    """The two shots, in order."""
    cat = cut_out(data.chelsea(), CAT_OUTLINE, edge=1.6)
    lawn = backdrop(data.grass(), blur=2.5, tint=(0.42, 0.80, 0.20))
    nod = wobble(rng, (0.6, 1.1), 2.0)
    yield Shot(
        rng,
        dict(layer=lawn, anchor=(256, 256), start=(330, 180), end=(300, 184), scale=(1.5, 1.54), turn=lambda t: 0.0),
        dict(layer=cat, anchor=(200, 150), start=(140, 184), end=(236, 180), scale=(1.34, 1.30), turn=nod),
        quality=12,
    )

    astronaut = cut_out(data.astronaut(), ASTRONAUT_OUTLINE)
    astronaut[..., :3] *= np.array([0.55, 0.57, 0.66], np.float32)  # dusk: less light, and bluer
    pad = backdrop(data.rocket(), blur=1.2)
    sway = wobble(rng, (0.5, 0.9), 2.0)
    yield Shot(
        rng,
        dict(layer=pad, anchor=(320, 240), start=(110, 200), end=(130, 200), scale=(1.22, 1.26), turn=lambda t: 0.0),
        dict(layer=astronaut, anchor=(190, 180), start=(440, 196), end=(380, 192), scale=(1.04, 1.10), turn=sway),
        quality=11,
    )


def encoder(path):
    """ffmpeg reading raw RGB on its standard input. One thread and bit-exact flags: the same bytes every time."""
    return subprocess.Popen(
        ["ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
         "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", str(FPS), "-i", "-",
         "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+bitexact,"
                "format=yuv420p",
         "-c:v", "libx264", "-preset", "slow", "-crf", "22", "-threads", "1", "-flags", "+bitexact",
         "-x264-params", "open-gop=0:keyint=48:pbratio=1.0",
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
