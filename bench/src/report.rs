//! The measurements as a page and as numbers.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Context, Result};
use steadymask_core::simd::Level;

use crate::measure::{Results, Timed};
use crate::memory::{Memory, Peak};
use crate::networks::{Networks, Place};
use crate::rows::Against;

const PLACES: [Place; 2] = [Place::Native, Place::Chromium];

/// Why lines in WASM may miss their target.
const WASM_LIMITS: &str = "\
What keeps lines behind, by V8's machine code: for IoU and Dice of packed masks AVX-512 counts the bits of 512 pixels by
one instruction, so that memory is the limit; in WASM it takes one for each 64, one to load them and often one for their
address, and the processor is busy with nothing else. Vectors of 128 bits are no faster, carry-save adders neither.
The exponential filter, flow and consensus do as many operations as natively, on four numbers where AVX-512 has eight or
sixteen; besides, V8 works out the address of each load in a loop by itself, and keeps what does not fit 15 registers in
memory.

";

/// Writes BENCHMARKS.md and bench/results.json.
pub fn publish(results: &Results) -> Result<()> {
    let rounded = |ratio: f64| (1000.0 * ratio).round() / 1000.0;
    let kernels = results.rows.iter().map(|timed| (timed.row.name.clone(), rounded(timed.turns.ratio())));
    let networks = PLACES.into_iter().filter_map(Networks::kept).flat_map(|networks| networks.lines);
    let networks = networks.map(|line| (line.name(), rounded(line.ratio())));
    let ratios: BTreeMap<_, _> = kernels.chain(networks).collect();
    let json = serde_json::to_string_pretty(&ratios)? + "\n";
    std::fs::write("bench/results.json", json).context("cannot write bench/results.json")?;
    std::fs::write("BENCHMARKS.md", markdown(results)).context("cannot write BENCHMARKS.md")
}

/// The page.
pub fn markdown(results: &Results) -> String {
    let machine = &results.machine;
    let level = match machine.level {
        Level::Baseline => "no more than the target's baseline of",
        Level::Avx2 => "AVX2",
        Level::Avx512 => "AVX-512",
    };
    let versions: Vec<_> = results.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let mut page = format!(
        "# How fast it is

Made by `cargo xtask bench`. Ratios: over 1, ours is the faster. Lines that lose, or miss their target, stay.

- **Machine**: {}, {} threads, {level} vector instructions in use. One thread reads {:.1} GB/s and copies \
{:.1} GB/s (bytes read plus bytes written) beyond the caches. Two threads that share nothing do {:.2} times the work \
of one.
- **Rivals**: {}.
- **How**: each line is timed in turns, ours and the rival's, on the same bytes in the same minutes. A time is the
  least of all turns, in seconds of the processor, so that other programs on the machine count little; lines with
  two threads go by the clock on the wall. The spread is that of the ratio over single rounds. Both sides' results
  are summed up and compared before: *apart* is the relative difference of the sums.
- **Memory** that a side has had it keeps from turn to turn (glibc's allocator is told so, for all): by itself it gives
  back what threads free, and faults on each page again take up to a third of the time of two threads. What a clip's
  first frames cost is therefore not in here.
- **GB/s** counts each byte of input read once and each byte of output written once; **of memory** is that as a
  share of what copying reaches. Kernels far below are limited by arithmetic.

",
        machine.processor,
        machine.threads,
        machine.read,
        machine.copy,
        machine.two_threads,
        versions.join(", "),
    );
    for (against, title, ours, theirs) in [
        (Against::Python, "Against NumPy and OpenCV, one thread each", "ours", "theirs"),
        (Against::OneThread, "Two threads against one", "two", "one"),
        (Against::Native, "WASM SIMD128 in V8, the engine of Chromium and Node, against native code", "WASM", "native"),
        (Against::NarrowNative, "The same, natively with 128-bit vectors too", "WASM", "native"),
    ] {
        let rows: Vec<_> = results.rows.iter().filter(|timed| timed.row.against == against).collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(
            page,
            "## {title}\n\n| what | frames | {ours} ms a frame | {theirs} ms a frame | ratio | spread | target | \
             | GB/s | of memory | apart |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
        );
        rows.iter().for_each(|timed| line(&mut page, timed, machine.copy));
        page.push('\n');
        let limited = rows.iter().filter_map(|timed| Some((timed, timed.limit?)));
        let limits = limited.map(|(timed, limit)| {
            format!(
                "- `{}`: right after it, two threads that share nothing did {limit:.2} times the work of one; the line \
                 has {:.0} % of that.\n",
                timed.row.name,
                100.0 * timed.turns.ratio() / limit,
            )
        });
        let limits: String = limits.collect();
        if !limits.is_empty() {
            page.push_str(&limits);
            page.push('\n');
        }
        let missed = |timed: &&Timed| timed.row.target.is_some_and(|target| timed.turns.ratio() < target);
        if against == Against::Native && rows.iter().any(missed) {
            page.push_str(WASM_LIMITS);
        }
    }
    if !results.flow_errors.is_empty() {
        page.push_str(
            "## End-point error of the flow\n\nMean distance to the known motion, 854×480, preset medium, in pixels. \
             `core/tests/flow.rs` does the same on photographs.\n\n| motion | ours | OpenCV | |\n| --- | --- | --- | --- |\n",
        );
        for error in &results.flow_errors {
            let verdict = if error.ours <= error.opencv { "ahead" } else { "**behind**" };
            let _ = writeln!(page, "| {} | {:.4} | {:.4} | {verdict} |", error.motion, error.ours, error.opencv);
        }
        page.push('\n');
    }
    if let Some(short) = &results.memory {
        for place in PLACES {
            if let Some(networks) = Networks::kept(place) {
                page.push_str(&networks.section(place));
                page.push('\n');
            }
        }
        let long = std::fs::read_to_string("bench/memory.json").ok();
        let long: Option<Memory> = long.and_then(|json| serde_json::from_str(&json).ok());
        let _ = writeln!(
            page,
            "## Memory\n\nMost memory of a process that stabilises 1080p with a look-ahead of {} frames (work size \
             {}×{}), as the clip goes on; by `cargo xtask bench memory` where ten minutes are. *Live* is what the \
             program holds; *resident* also what the allocator keeps for later, which depends on how the threads \
             happen to take turns.\n\n| frames | peak live MiB | peak resident MiB |\n| --- | --- | --- |",
            short.look_ahead, short.work.0, short.work.1,
        );
        for memory in long.iter().chain([short]) {
            for Peak { frames, live, resident } in &memory.peaks {
                let _ = writeln!(page, "| {frames} | {live:.1} | {resident:.1} |");
            }
            if let Some([live, resident]) = memory.growth() {
                let _ = writeln!(page, "| growth from half to all | {live:.3} times | {resident:.3} times |");
            }
        }
        page.push('\n');
    }
    if !results.skipped.is_empty() {
        page.push_str("## Not measured\n\n");
        for (name, reason) in &results.skipped {
            let _ = writeln!(page, "- {name}: {reason}");
        }
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn line(page: &mut String, timed: &Timed, copy: f64) {
    let (row, turns) = (&timed.row, &timed.turns);
    let (width, height) = row.size;
    let frames = row.frames as f64;
    let (ours, theirs) = turns.minima();
    let (low, high) = turns.spread();
    let ratio = turns.ratio();
    let verdict = match row.target {
        Some(target) if ratio < target => "**missed**",
        Some(_) => "reached",
        None if ratio < 1.0 => "**behind**",
        None => "ahead",
    };
    let target = row.target.map_or(String::new(), |target| format!("{target}"));
    let speed = row.kernel.bytes * (width * height) as f64 * frames / ours / 1e9;
    let _ = writeln!(
        page,
        "| `{}` {width}×{height} | {} | {:.3} | {:.3} | {ratio:.2} | {low:.2}–{high:.2} | {target} | {verdict} | {speed:.2} | {:.0} % | {:.0e} |",
        row.name,
        row.frames,
        1e3 * ours / frames,
        1e3 * theirs / frames,
        100.0 * speed / copy,
        timed.disagreement,
    );
}
