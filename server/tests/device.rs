//! `--device` on a machine whose GPUs are hidden: what is taken, and what is said of it.

mod common;

use std::process::Command;

use common::{Said, ffmpeg, json, run, steadymask, temp};
use steadymask_models::DeviceChoice;

const GPUS: [(DeviceChoice, &str); 3] =
    [(DeviceChoice::Cuda, "cuda"), (DeviceChoice::Vulkan, "vulkan"), (DeviceChoice::WebGpu, "wgpu")];

/// The program where no driver is found.
fn without_gpus() -> Command {
    let mut command = steadymask();
    let nowhere = "/nonexistent/driver.json";
    command.env("CUDA_VISIBLE_DEVICES", "").env("VK_DRIVER_FILES", nowhere).env("VK_ICD_FILENAMES", nowhere);
    command.env("__EGL_VENDOR_LIBRARY_FILENAMES", nowhere);
    command
}

fn built_in(gpu: DeviceChoice) -> bool {
    DeviceChoice::built_in().contains(&gpu)
}

#[test]
fn the_cpu_is_taken_and_why_is_told() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=32x24:r=5:d=1 in.mp4");
    let stabilize = |out: &str, more: &[&str]| -> Said {
        run(without_gpus().current_dir(path).args(["stabilize", "in.mp4", "--out", out]).args(more))
    };
    let said = stabilize("auto", &[]);
    said.succeeds();
    assert!(!said.err.contains("panicked"), "{}", said.err);
    let metrics = json(&path.join("auto/metrics.json"));
    let reason = metrics["device"]["reason"].as_str().expect("words").to_owned();
    assert_eq!(metrics["device"]["name"], "cpu", "{reason}");
    assert!(said.err.contains(&format!("on cpu ({reason})")), "{}", said.err);
    if DeviceChoice::built_in().is_empty() {
        assert_eq!(reason, "built without GPU support");
    }
    for gpu in DeviceChoice::built_in() {
        assert!(reason.contains(gpu.name()), "{reason}");
    }

    stabilize("cpu", &["--device", "cpu"]).succeeds();
    assert_eq!(json(&path.join("cpu/metrics.json"))["device"]["reason"], "asked for");
}

#[test]
fn a_gpu_asked_for_that_is_not_there_is_an_error() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=32x24:r=5:d=1 in.mp4");
    for (gpu, feature) in GPUS {
        let asked = ["stabilize", "in.mp4", "--out", "out", "--device", gpu.name()];
        let said = run(without_gpus().current_dir(path).args(asked));
        said.refuses(&[&format!("the device {gpu} cannot be used: "), "; there is cpu"]);
        let missing = format!("built without the feature {feature}");
        assert_eq!(said.err.contains(&missing), !built_in(gpu), "{}", said.err);

        // What other commands run to find that out: one line.
        let said = run(without_gpus().args(["try-device", gpu.name()]));
        said.refuses(&["steadymask: "]);
        assert_eq!(said.out, "");
    }
}
