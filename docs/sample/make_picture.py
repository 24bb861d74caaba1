#!/usr/bin/env python3
"""Makes docs/picture.png: neighbouring frames of the sample clip, masks before (above) and after (below).

usage: make_picture.py VIDEO RESULTS OUT.png     RESULTS: what `steadymask stabilize VIDEO --out RESULTS` wrote
needs the packages of requirements.txt beside this script
"""

import sys

import cv2
import numpy as np

FRAMES = (20, 21, 22, 75, 76, 77)
WIDTH, GAP = 240, 6
TINT = np.array([140, 190, 30], np.float32)  # BGR


def main(video: str, results: str, out: str) -> None:
    capture = cv2.VideoCapture(video)
    columns = []
    for number in FRAMES:
        capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        ok, frame = capture.read()
        if not ok:
            raise SystemExit(f"{video}: no frame {number}")
        cells = [draw(frame, f"{results}/{folder}/{number:05}.png") for folder in ("raw", "masks")]
        columns.append(np.vstack([cells[0], gap(GAP, cells[0].shape[1]), cells[1]]))
    spaced = [column for c in columns for column in (c, gap(c.shape[0], GAP))][:-1]
    cv2.imwrite(out, np.hstack(spaced), [cv2.IMWRITE_PNG_COMPRESSION, 9])


def gap(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 255, np.uint8)


def draw(frame: np.ndarray, path: str) -> np.ndarray:
    mask = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise SystemExit(f"{path}: no such mask")
    inside = (mask > 127)[..., None]
    mixed = np.where(inside, frame * 0.4 + TINT * 0.6, frame * 0.55).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(mixed, contours, -1, (255, 255, 255), 2)
    height = round(WIDTH * frame.shape[0] / frame.shape[1])
    return cv2.resize(mixed, (WIDTH, height), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
