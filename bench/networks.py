"""The networks of steadymask-bench as torchvision has them, run by torch and by onnxruntime.

Reads a JSON object a line and answers with one, as rivals.py does:

    {"op": "network", "name": …, "side": …, "folder": path}  →  {}
    {"op": "prepare", "runtime": …, "threads": …, "times": …, "picture": path, "logits": path}  →  {}
    {"op": "run"}  →  {"seconds": of one inference}

`network` seeds weights and writes `weights.safetensors`. `picture` is RGB, 8 bits; `logits` become 32-bit floats.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torchvision
from safetensors.torch import save_file

warnings.filterwarnings("ignore")

MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


class Logits(torch.nn.Module):
    """The network up to its logits: without the last interpolation."""

    def __init__(self, model, name):
        super().__init__()
        self.model, self.both = model, name.startswith("lraspp")

    def forward(self, x):
        features = self.model.backbone(x)
        return self.model.classifier(features if self.both else features["out"])


def network(name, side, folder):
    torch.manual_seed(4)
    make = getattr(torchvision.models.segmentation, name)
    model = make(weights=None, weights_backbone=None, num_classes=21).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # As after training: otherwise they do nothing.
            module.running_mean.uniform_(-0.25, 0.25)
            module.running_var.uniform_(0.5, 1.0)
            module.weight.data.uniform_(0.75, 1.25)
            module.bias.data.uniform_(-0.25, 0.25)
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(state, Path(folder) / "weights.safetensors")
    logits = Logits(model, name).eval()
    onnx = str(Path(folder) / "network.onnx")
    torch.onnx.export(logits, (torch.zeros(1, 3, side, side),), onnx, input_names=["x"], output_names=["y"], dynamo=False)
    return logits, onnx, side


def prepare(made, runtime, threads, times, picture, logits):
    """A function that does one inference, how often to call it, and the clock."""
    model, onnx, side = made
    pixels = np.fromfile(picture, np.uint8).reshape(1, side, side, 3).astype(np.float32) / 255
    x = np.ascontiguousarray(((pixels - MEAN) / DEVIATION).transpose(0, 3, 1, 2), dtype=np.float32)
    if runtime == "torch":
        torch.set_num_threads(threads)
        tensor = torch.from_numpy(x)

        def infer():
            with torch.inference_mode():
                return model(tensor).numpy()
    else:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])

        def infer():
            return session.run(None, {"x": x})[0]

    infer().astype(np.float32).tofile(logits)
    return infer, times, time.thread_time if threads == 1 else time.perf_counter


def main():
    made = work = None
    for line in sys.stdin:
        request = json.loads(line)
        op = request.pop("op")
        answer = {}
        if op == "network":
            made = work = None  # frees what the last one held
            made = network(**request)
        elif op == "prepare":
            work = None
            work = prepare(made, **request)
        elif op == "run":
            infer, times, clock = work
            start = clock()
            for _ in range(times):
                infer()
            answer = {"seconds": (clock() - start) / times}
        elif op == "versions":
            versions = {"onnxruntime": onnxruntime.__version__, "torch": torch.__version__}
            answer = versions | {"torchvision": torchvision.__version__}
        else:
            raise ValueError(f"unknown op {op!r}")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
