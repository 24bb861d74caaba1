//! Memory does not follow the length of the clip: a short version of what `cargo xtask bench memory` measures.
#![cfg(target_os = "linux")]

#[test]
fn memory_does_not_follow_the_length() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_steadymask-bench"))
        .args(["memory", "--frames", "160"])
        .output()
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let memory: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let peak = |i: usize| memory["peaks"][i]["live"].as_f64().expect("a number");
    // Eighty more frames at this size would be 100 MiB of input alone.
    assert!(peak(2) < 1.05 * peak(1), "{memory}");
}
