"""The work of steadymask-bench as a Python programmer does it: with NumPy and OpenCV, one thread.

Reads a JSON object a line and answers with one:

    {"op": "prepare", "name": …, "width": …, "height": …, "frames": …, "data": path}  →  {"check": sum of the results}
    {"op": "run"}                                                                     →  {"seconds": of the processor}
    {"op": "flow", "width": …, "height": …, "data": path, "to": path}                 →  {}
    {"op": "frames", "folder": …, "probabilities": …, "count": …, "width": …, "height": …, "to": path}  →  {}

`data` holds the same bytes that the kernel of that name takes in src/lib.rs, where the layouts are explained.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

cv2.setNumThreads(1)

MARGIN = 64
WINDOW = 5
LEVEL = 127


def windows(data, width, height, frames):
    picture = data.reshape(height + MARGIN, width + MARGIN)

    def bounce(step):
        return abs(step % (2 * MARGIN) - MARGIN)

    stack = np.empty((frames, height, width), np.uint8)
    for t in range(frames):
        left, top = bounce(3 * t), bounce(2 * t)
        stack[t] = picture[top : top + height, left : left + width]
    return stack


def around(stack, t):
    return stack[max(0, t - WINDOW // 2) : t + WINDOW // 2 + 1]


def mask_moving_average(masks):
    for t in range(len(masks)):
        yield around(masks, t).mean(axis=0) >= 0.5


def mask_median(masks):
    for t in range(len(masks)):
        yield np.median(around(masks, t), axis=0) >= 0.5


def mask_iou(masks):
    for a, b in zip(masks, masks[1:]):
        yield np.logical_and(a, b).sum() / np.logical_or(a, b).sum()


def mask_dice(masks):
    for a, b in zip(masks, masks[1:]):
        yield 2 * np.logical_and(a, b).sum() / (a.sum() + b.sum())


def mask_pack(planes):
    for plane in planes:
        yield np.packbits(plane > LEVEL, axis=1, bitorder="little")


def mask_unpack(packed, width):
    for mask in packed:
        yield np.unpackbits(mask, axis=1, count=width, bitorder="little") * np.uint8(255)


def mask_moving_average_bytes(planes):
    for t in range(len(planes)):
        yield np.where(around(planes, t).mean(axis=0) >= 127.5, np.uint8(255), np.uint8(0))


def u8_moving_average(planes):
    for t in range(len(planes)):
        yield (around(planes, t).mean(axis=0) + 0.5).astype(np.uint8)


def u8_median(planes):
    for t in range(len(planes)):
        yield (np.median(around(planes, t), axis=0) + 0.5).astype(np.uint8)


def u8_exponential(planes):
    state = planes[0].astype(np.float32)
    for plane in planes:
        state = 0.3 * plane + 0.7 * state
        yield (state + 0.5).astype(np.uint8)


def u8_iou(planes):
    for p, q in zip(planes, planes[1:]):
        a, b = p > LEVEL, q > LEVEL
        yield np.logical_and(a, b).sum() / np.logical_or(a, b).sum()


def u8_dice(planes):
    for p, q in zip(planes, planes[1:]):
        a, b = p > LEVEL, q > LEVEL
        yield 2 * np.logical_and(a, b).sum() / (a.sum() + b.sum())


def flow(luma):
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for a, b in zip(luma, luma[1:]):
        yield search.calc(a, b, None)
        yield search.calc(b, a, None)


def grid(width, height):
    return np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))


def carry(source, vectors, x, y):
    return cv2.remap(source, x + vectors[..., 0], y + vectors[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def warp(luma):
    height, width = luma.shape[1:]
    x, y = grid(width, height)
    vectors = np.dstack([3.3 - np.float32(0.01) * y, np.float32(0.02) * x - np.float32(4.1)])
    for plane in luma:
        yield carry(plane.astype(np.float32), vectors, x, y)


def trust(vectors, reverse, here, there, x, y, sigma):
    back = carry(reverse, vectors, x, y)
    gap = ((vectors + back) ** 2).sum(axis=2)
    tolerance = 0.01 * ((vectors**2).sum(axis=2) + (back**2).sum(axis=2)) + 0.5
    color = np.abs(carry(there, vectors, x, y) - here).mean(axis=2)
    return np.exp(-gap / (2 * tolerance)) * np.exp(-(color**2) / (2 * sigma**2))


def consensus(rgb, probabilities, decay=0.95, sigma=25.0):
    """The prototype: two recursions of a running weighted mean, carried by flow, and their fusion."""
    x, y = grid(*rgb.shape[2:0:-1])
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    luma = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in rgb]
    colors = [frame.astype(np.float32) for frame in rgb]
    ahead, behind = [], []
    for t in range(len(rgb) - 1):
        there, back = search.calc(luma[t], luma[t + 1], None), search.calc(luma[t + 1], luma[t], None)
        ahead.append((there, trust(there, back, colors[t], colors[t + 1], x, y, sigma)))
        behind.append((back, trust(back, there, colors[t + 1], colors[t], x, y, sigma)))

    planes = [plane.astype(np.float32) for plane in probabilities]

    def recursion(order, motion):
        mean, weight = {}, {}
        for previous, t in zip([None, *order], order):
            if previous is None:
                mean[t], weight[t] = planes[t], np.ones_like(planes[t])
                continue
            vectors, trusted = motion(previous, t)
            share = decay * trusted * carry(weight[previous], vectors, x, y)
            mean[t] = (planes[t] + share * carry(mean[previous], vectors, x, y)) / (1 + share)
            weight[t] = 1 + share
        return mean, weight

    order = list(range(len(rgb)))
    past, past_weight = recursion(order, lambda previous, t: behind[previous])
    future, future_weight = recursion(order[::-1], lambda previous, t: ahead[t])
    for t in order:
        total = past[t] * past_weight[t] + future[t] * future_weight[t] - planes[t]
        yield (total / (past_weight[t] + future_weight[t] - 1) + 0.5).astype(np.uint8)


def prepare(name, width, height, frames, data):
    """A function that does the work once and yields the results."""
    data = np.fromfile(data, np.uint8)
    if name in ("flow", "warp"):
        luma = data.reshape(frames, height, width)
        return lambda: globals()[name](luma)
    if name.startswith("consensus"):
        pixels = frames * height * width
        rgb = data[: 3 * pixels].reshape(frames, height, width, 3)
        probabilities = data[3 * pixels :].reshape(frames, height, width)
        return lambda: consensus(rgb, probabilities)
    planes = windows(data, width, height, frames)
    if name == "mask_unpack":
        packed = [np.packbits(plane > LEVEL, axis=1, bitorder="little") for plane in planes]
        return lambda: mask_unpack(packed, width)
    if name == "mask_moving_average_bytes":
        planes = np.where(planes > LEVEL, np.uint8(255), np.uint8(0))
    elif name.startswith("mask_") and name != "mask_pack":
        planes = planes > LEVEL
    return lambda: globals()[name](planes)


def check(name, results):
    """What src/lib.rs sums up."""
    if name == "mask_pack":
        return sum(int(np.unpackbits(result).sum()) for result in results)
    if name == "warp":
        return sum(float(result[result.shape[0] // 2, result.shape[1] // 2]) for result in results)
    return float(sum(np.sum(result, dtype=np.float64) for result in results))


def frames(folder, probabilities, count, width, height, to):
    """Writes `count` frames of a sequence, to and fro over it, and their probabilities as raw bytes."""
    size = (width, height)

    def to_and_fro(folder):
        paths = sorted(Path(folder).iterdir())
        there_and_back = paths + paths[-2:0:-1]
        return [there_and_back[t % len(there_and_back)] for t in range(count)]

    with open(to, "wb") as out:
        for path in to_and_fro(folder):
            frame = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            out.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA).tobytes())
        for path in to_and_fro(probabilities):
            plane = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            out.write(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR).tobytes())


def main():
    work = None
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        if op == "prepare":
            work = None  # frees what the last one held
            work = prepare(**request)
            answer = {"check": check(request["name"], work())}
        elif op == "run":
            start = time.thread_time()
            for result in work():
                pass
            answer = {"seconds": time.thread_time() - start}
        elif op == "flow":
            luma = np.fromfile(request["data"], np.uint8).reshape(2, request["height"], request["width"])
            next(flow(luma)).tofile(request["to"])
            answer = {}
        elif op == "frames":
            frames(**request)
            answer = {}
        elif op == "versions":
            answer = {"python": sys.version.split()[0], "numpy": np.__version__, "opencv": cv2.__version__}
        else:
            raise ValueError(f"unknown op {op!r}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
