//! The command line, from its arguments to the files it leaves.

mod common;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use common::{Said, ffmpeg, finish, flickering_masks, gray_frames, json, names, run, sample, square, steadymask, temp};
use steadymask_core::{Method, Plane, Settings};
use steadymask_server::picture;

/// `steadymask stabilize INPUT --out FOLDER …`
fn stabilize(input: &Path, out: &Path, more: &[&str]) -> Said {
    run(steadymask().arg("stabilize").arg(input).arg("--out").arg(out).args(more))
}

/// The same with masks in place of the network, which saves its time where the network is not the matter.
fn stabilize_masks(input: &Path, masks: &Path, out: &Path, more: &[&str]) -> Said {
    let masks = masks.to_str().expect("UTF-8");
    stabilize(input, out, &[&["--masks", masks], more].concat())
}

fn mask(out: &Path, name: &str) -> Plane<u8> {
    picture::read_mask(&out.join(name)).expect("mask")
}

/// Fails unless `out` holds `count` masks of that size, and nothing unfinished.
#[track_caller]
fn check_results(out: &Path, count: usize, (width, height): (usize, usize)) {
    assert_eq!(names(out), ["masks", "metrics.json", "overlay.mp4", "raw"]);
    for folder in ["masks", "raw"] {
        let files = names(&out.join(folder));
        assert_eq!(files.len(), count, "{files:?}");
        for file in files {
            let mask = mask(out, &format!("{folder}/{file}"));
            assert_eq!(mask.size(), (width, height));
            assert!(mask.data().iter().all(|&v| v == 0 || v == 255));
        }
    }
    let even = width.next_multiple_of(2) * height.next_multiple_of(2);
    assert_eq!(gray_frames(&out.join("overlay.mp4"), even).len(), count);
    let metrics = json(&out.join("metrics.json"));
    assert_eq!((metrics["width"].as_u64(), metrics["height"].as_u64()), (Some(width as u64), Some(height as u64)));
    assert_eq!(metrics["frames"].as_array().map(Vec::len), Some(count));
    assert_eq!(metrics["summary"]["frames"], count);
}

#[test]
fn sample_clip_by_the_network() {
    let folder = temp();
    let out = folder.path().join("deep/out");
    let said = stabilize(&sample(), &out, &["--classes", "cat,person", "--device", "cpu"]);
    said.succeeds();
    assert!(said.err.contains("frames/s") && said.err.contains("s left"), "{}", said.err);
    assert!(said.out.contains("instability"), "{}", said.out);
    check_results(&out, 88, (640, 360));
    let metrics = json(&out.join("metrics.json"));
    assert_eq!(metrics["device"]["name"], "cpu");
    assert_eq!(metrics["settings"]["classes"], serde_json::json!(["cat", "person"]));
    let summary = &metrics["summary"];
    let number = |of: &str, name: &str| summary[of][name].as_f64().expect("number");
    assert!(number("before", "area") > 0.01, "the network finds something: {summary}");
    let steadier = |name| number("after", name) < number("before", name);
    assert!(steadier("motion_compensated_instability") && steadier("instability"), "{summary}");
}

#[test]
fn auto_tells_the_trade_off_and_runs_what_it_proposes() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=160x120:r=25:d=4 clip.mp4");
    flickering_masks(&path.join("m"), 100, 160, 120);
    let (clip, masks, out) = (path.join("clip.mp4"), path.join("m"), path.join("out"));
    let said = stabilize_masks(&clip, &masks, &out, &["--method", "auto", "--look-ahead", "4"]);
    said.succeeds();
    assert!(said.out.starts_with("methods tried on frames 8 to 23, 42 to 57, 75 to 90\n"), "{}", said.out);
    assert_eq!(names(&out.join("masks")).len(), 100);
    let metrics = json(&out.join("metrics.json"));
    let auto = &metrics["auto"];
    let candidates = auto["candidates"].as_array().expect("candidates");
    let chosen = &candidates[auto["chosen"].as_u64().expect("index") as usize];
    assert_eq!(metrics["settings"], chosen["settings"]);
    assert_eq!(chosen["settings"]["look_ahead"], 4);
    assert!(metrics["timings"]["propose"].as_f64().is_some_and(|seconds| seconds > 0.0));
    for method in Method::ALL {
        assert!(said.out.contains(&format!(" {}", method.name())), "{}", said.out);
    }
    assert!(said.out.lines().any(|line| line.starts_with("proposed: ")), "{}", said.out);
    let plot = std::fs::read_to_string(out.join("auto.svg")).expect("plot");
    assert!(plot.starts_with("<svg") && plot.contains("proposed"));

    // The same as when the proposal is asked for by name, and the plot is gone.
    let frames = names(&out.join("masks"));
    let before: Vec<_> = frames.iter().map(|name| mask(&out, &format!("masks/{name}"))).collect();
    let settings: Settings = serde_json::from_value(chosen["settings"].clone()).expect("settings");
    let number = |value: f32| value.to_string();
    let (window, alpha, decay) = (settings.window_size.to_string(), number(settings.alpha), number(settings.decay));
    let (high, low) = (number(settings.high), number(settings.low));
    let mut more = vec!["--look-ahead", "4", "--method", settings.method.name(), "--window-size", &window];
    more.extend(["--alpha", &alpha, "--decay", &decay, "--high", &high, "--low", &low]);
    let threshold = settings.threshold.map(number);
    more.extend(threshold.iter().flat_map(|threshold| ["--threshold", threshold]));
    stabilize_masks(&clip, &masks, &out, &more).succeeds();
    assert!(frames.iter().map(|name| mask(&out, &format!("masks/{name}"))).eq(before));
    assert!(!out.join("auto.svg").exists());
    assert!(json(&out.join("metrics.json"))["auto"].is_null());
}

#[test]
fn folder_of_frames_keeps_names_and_is_repeatable() {
    let folder = temp();
    let path = folder.path();
    std::fs::create_dir_all(path.join("in")).expect("folder");
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 in/shot_%02d.jpg");
    std::fs::write(path.join("in/notes.txt"), "not a frame").expect("file");
    flickering_masks(&path.join("numbered"), 5, 64, 48);
    std::fs::create_dir_all(path.join("m")).expect("folder");
    for (index, name) in names(&path.join("numbered")).iter().enumerate() {
        let to = path.join(format!("m/shot_{:02}.png", index + 1));
        std::fs::rename(path.join("numbered").join(name), to).expect("rename");
    }
    // What a person has in the output folder stays.
    let out = path.join("out");
    std::fs::create_dir_all(out.join("masks")).expect("folder");
    std::fs::write(out.join("masks/mine.txt"), "mine").expect("file");
    stabilize_masks(&path.join("in"), &path.join("m"), &out, &[]).succeeds();
    std::fs::remove_file(out.join("masks/mine.txt")).expect("it is still there");
    check_results(&out, 5, (64, 48));
    let expected: Vec<_> = (1..=5).map(|i| format!("shot_{i:02}.png")).collect();
    assert_eq!(names(&out.join("masks")), expected);
    // At work size the raw masks are the ones given; the gap in every fourth frame is closed.
    for name in &expected {
        assert_eq!(mask(&out, &format!("raw/{name}")), picture::read_mask(&path.join("m").join(name)).expect("mask"));
    }
    let again = path.join("again");
    stabilize_masks(&path.join("in"), &path.join("m"), &again, &[]).succeeds();
    for name in &expected {
        let file = format!("masks/{name}");
        assert_eq!(std::fs::read(out.join(&file)).ok(), std::fs::read(again.join(&file)).ok());
    }
}

#[test]
fn masks_of_every_kind_and_size() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=32x24:r=4:d=1 -c:v ffv1 in.mkv");
    std::fs::create_dir_all(path.join("m")).expect("folder");
    let file = |index: usize| path.join(format!("m/{index:06}.png"));
    // A square in the middle, as: gray at a quarter of the size; 1 bit; palette indices in 2 bits; 16-bit gray.
    picture::write_gray(&file(0), &square(8, 6, 2, 2, 4)).expect("mask");
    let write = |index, color, depth, palette: Option<&[u8]>, bytes: &[u8]| {
        let writer = std::fs::File::create(file(index)).expect("file");
        let mut encoder = png::Encoder::new(writer, 32, 24);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if let Some(palette) = palette {
            encoder.set_palette(palette.to_vec());
        }
        encoder.write_header().and_then(|mut w| w.write_image_data(bytes)).expect("mask");
    };
    let full = square(32, 24, 8, 8, 16);
    let pack = |bits: usize, on: u8| -> Vec<u8> {
        let value = |&v: &u8| if v > 0 { on } else { 0 };
        full.data().chunks(8 / bits).map(|c| c.iter().fold(0, |byte, v| byte << bits | value(v))).collect()
    };
    write(1, png::ColorType::Grayscale, png::BitDepth::One, None, &pack(1, 1));
    write(2, png::ColorType::Indexed, png::BitDepth::Two, Some(&[0; 12]), &pack(2, 2));
    let wide: Vec<_> = full.data().iter().flat_map(|&v| [v, v]).collect();
    write(3, png::ColorType::Grayscale, png::BitDepth::Sixteen, None, &wide);
    let out = path.join("out");
    stabilize_masks(&path.join("in.mkv"), &path.join("m"), &out, &["--method", "none"]).succeeds();
    check_results(&out, 4, (32, 24));
    for index in 1..4 {
        assert_eq!(mask(&out, &format!("raw/{index:05}.png")), full, "mask {index}");
        assert_eq!(mask(&out, &format!("masks/{index:05}.png")), full, "mask {index}");
    }
    let scaled = mask(&out, "raw/00000.png");
    let differing = scaled.data().iter().zip(full.data()).filter(|(a, b)| a != b).count();
    assert!(differing < 64, "the small mask is scaled up: {differing} pixels differ");

    let colors = std::fs::File::create(file(3)).expect("file");
    let mut encoder = png::Encoder::new(colors, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().and_then(|mut w| w.write_image_data(&[1, 2, 3])).expect("mask");
    let said = stabilize_masks(&path.join("in.mkv"), &path.join("m"), &out, &[]);
    said.refuses(&["000003.png", "Rgb", "gray or palette"]);
}

#[test]
fn masks_larger_than_the_work_size_keep_their_fine_edges() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=192x144:r=1:d=1 -frames:v 1 still.png");
    ffmpeg(path, "-loop 1 -i still.png -r 4 -t 2 -c:v ffv1 in.mkv");
    // A comb: teeth and gaps of one pixel, a third of a work pixel; a disc; softer on its left.
    let full = Plane::from_fn(192, 144, |x, y| match (x, y) {
        (20..90, 20..100) if x % 2 == 0 || y < 30 => 255,
        (100..180, 20..100) if (x - 140).pow(2) + (y - 60).pow(2) < 900 => {
            if x < 130 {
                200
            } else {
                255
            }
        }
        _ => 0,
    });
    let (masks, out) = (path.join("m"), path.join("out"));
    std::fs::create_dir_all(&masks).expect("folder");
    for index in 0..8 {
        picture::write_gray(&masks.join(format!("{index:05}.png")), &full).expect("mask");
    }
    let more = ["--work-side", "64", "--export", "probability,png"];
    stabilize_masks(&path.join("in.mkv"), &masks, &out, &more).succeeds();
    let label = full.map(|&p| if p > 127 { 255 } else { 0 });
    for index in 0..8 {
        assert_eq!(mask(&out, &format!("masks/{index:05}.png")), label, "frame {index}");
        assert_eq!(mask(&out, &format!("png/{index:05}.png")), label, "frame {index}");
        let exported = mask(&out, &format!("probability/{index:05}.png"));
        let off = exported.data().iter().zip(full.data()).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(off, Some(0), "frame {index}");
    }
}

#[test]
fn masks_must_match_the_frames() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=32x24:r=5:d=1 in.mp4");
    let (input, masks, out) = (path.join("in.mp4"), path.join("m"), path.join("out"));
    flickering_masks(&masks, 5, 32, 24);
    let said = stabilize_masks(&input, &masks, &out, &["--classes", "dog"]);
    said.refuses(&["classes", "dog", "those of the masks: object"]);
    std::fs::rename(masks.join("00002.png"), masks.join("00007.png")).expect("rename");
    stabilize_masks(&input, &masks, &out, &[]).refuses(&["00002.png", "missing"]);
    std::fs::rename(masks.join("00007.png"), masks.join("00002.png")).expect("rename");
    std::fs::copy(masks.join("00002.png"), masks.join("extra.png")).expect("copy");
    stabilize_masks(&input, &masks, &out, &[]).refuses(&["extra.png", "belongs to no frame", "00004.png"]);
    std::fs::remove_file(masks.join("extra.png")).expect("remove");
    std::fs::write(masks.join("00003.png"), "broken").expect("file");
    stabilize_masks(&input, &masks, &out, &[]).refuses(&["00003.png"]);
    stabilize_masks(&input, &path.join("nowhere"), &out, &[]).refuses(&["nowhere"]);

    // Masks of 0 and 1 are what people export by mistake.
    for index in 0..5 {
        let dim = square(32, 24, 4, 4, 8).map(|&v| v.min(1));
        picture::write_gray(&masks.join(format!("{index:05}.png")), &dim).expect("mask");
    }
    let said = stabilize_masks(&input, &masks, &out, &[]);
    assert!(said.succeeds().err.contains("masks of 0 and 1"), "{}", said.err);
}

#[test]
fn unusual_clips_give_right_results() {
    let folder = temp();
    let path = folder.path();
    let zeros = |name: &str, count| std::fs::write(path.join(name), vec![128; count]).expect("file");
    zeros("pixel.raw", 3);
    ffmpeg(path, "-f rawvideo -pix_fmt gray -video_size 1x1 -framerate 5 -i pixel.raw -c:v ffv1 pixel.mkv");
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 -frames:v 1 single.mp4");
    ffmpeg(path, "-f lavfi -i testsrc=s=65x47:r=5:d=1 -c:v libvpx-vp9 odd.webm");
    ffmpeg(path, "-f lavfi -i testsrc=s=65x47:r=5:d=1 -c:v libx264 -pix_fmt yuv444p odd-444.mp4");
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 -c:v libx264 -pix_fmt yuv420p10le deep.mp4");
    ffmpeg(path, "-f lavfi -i testsrc=s=48x96:r=5:d=1 portrait.mp4");
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=10:d=2 -vf select='not(mod(n,3))+lt(n,6)' -fps_mode vfr vfr.mp4");
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 -f lavfi -i sine=d=3 -shortest sound.mp4");
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 animated.gif");
    std::fs::create_dir_all(path.join("tiny")).expect("folder");
    picture::write_gray(&path.join("tiny/a.png"), &Plane::filled(1, 1, 9)).expect("frame");
    let cases = [
        ("pixel.mkv", 3, (1, 1)),
        ("single.mp4", 1, (64, 48)),
        ("odd.webm", 5, (65, 47)),
        ("odd-444.mp4", 5, (65, 47)),
        ("deep.mp4", 5, (64, 48)),
        ("portrait.mp4", 5, (48, 96)),
        ("vfr.mp4", 11, (64, 48)),
        ("sound.mp4", 5, (64, 48)),
        ("animated.gif", 5, (64, 48)),
        ("tiny", 1, (1, 1)),
    ];
    for (name, count, size) in cases {
        for method in ["consensus", "median"] {
            let out = path.join(format!("out-{name}-{method}"));
            let said = stabilize(&path.join(name), &out, &["--method", method, "--device", "cpu"]);
            assert_eq!(said.status, Some(0), "{name}: {}", said.err);
            check_results(&out, count, size);
        }
    }
}

#[test]
fn rotation_metadata_turns_frames_and_masks() {
    let folder = temp();
    let path = folder.path();
    // Gray, so that the colour matrix does not matter.
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 -vf hue=s=0 -pix_fmt yuv420p flat.mp4");
    for (degrees, size) in [(90, (48, 64)), (180, (64, 48)), (270, (48, 64))] {
        let name = format!("turned-{degrees}.mp4");
        // An option of the input since ffmpeg 6; a tag before.
        let option = format!("-display_rotation {} -i flat.mp4 -c copy {name}", -degrees);
        let tag = format!("-i flat.mp4 -c copy -metadata:s:v:0 rotate={degrees} {name}");
        let newer = Command::new("ffmpeg").args(["-hide_banner", "-h", "full"]).output().expect("ffmpeg is installed");
        let newer = String::from_utf8_lossy(&newer.stdout).contains("-display_rotation");
        ffmpeg(path, if newer { &option } else { &tag });
        let (masks, out) = (path.join(format!("m-{degrees}")), path.join(format!("out-{degrees}")));
        std::fs::create_dir_all(&masks).expect("folder");
        for index in 0..5 {
            picture::write_gray(&masks.join(format!("{index:05}.png")), &Plane::filled(4, 4, 0)).expect("mask");
        }
        stabilize_masks(&path.join(&name), &masks, &out, &["--method", "none"]).succeeds();
        check_results(&out, 5, size);
        // Under empty masks the overlay is the video: it must be as upright as ffmpeg shows it.
        let ours = gray_frames(&out.join("overlay.mp4"), 64 * 48);
        let theirs = gray_frames(&path.join(&name), 64 * 48);
        let pairs = ours.concat().into_iter().zip(theirs.concat());
        let mean = pairs.map(|(a, b)| f64::from(a.abs_diff(b))).sum::<f64>() / (5.0 * 64.0 * 48.0);
        assert!(mean < 6.0, "{degrees}°: mean difference {mean}");
    }
}

#[test]
fn bad_videos_are_refused_in_words() {
    let folder = temp();
    let path = folder.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).expect("file");
    write("text.mp4", b"This is no video at all.\n".repeat(50).as_slice());
    write("text.txt", b"hello\n");
    write("empty.mp4", b"");
    write("list.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nwhole.mp4\n#EXT-X-ENDLIST\n");
    ffmpeg(path, "-f lavfi -i testsrc=s=160x120:r=25:d=4 whole.mp4");
    let whole = std::fs::read(path.join("whole.mp4")).expect("file");
    write("cut.mp4", &whole[..whole.len() / 2]);
    ffmpeg(path, "-f lavfi -i sine=d=1 sound.m4a");
    ffmpeg(
        path,
        "-f lavfi -i sine=d=1 -f lavfi -i testsrc=s=64x48:d=1 -map 0 -map 1 -frames:v 1 -c:v mjpeg \
                  -disposition:v attached_pic cover.m4a",
    );
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:d=1 -frames:v 0 zero.mp4");
    for (size, name) in [("64x48", "a.ts"), ("80x60", "b.ts")] {
        ffmpeg(path, &format!("-f lavfi -i testsrc=s={size}:r=10:d=1 -c:v mpeg2video {name}"));
    }
    let joined = |a, b| [a, b].map(|name| std::fs::read(path.join(name)).expect("file")).concat();
    write("grows.ts", &joined("a.ts", "b.ts"));
    write("shrinks.ts", &joined("b.ts", "a.ts"));
    let cases: [(&str, &[&str]); 11] = [
        ("text.mp4", &["text.mp4", "not a video"]),
        ("text.txt", &["not a video"]),
        ("empty.mp4", &["not a video", "empty"]),
        ("list.m3u8", &["not a video", "not accepted"]),
        ("cut.mp4", &["damaged or was cut short", "moov atom not found"]),
        ("sound.m4a", &["no video track, only audio"]),
        ("cover.m4a", &["no video track, only audio"]),
        ("zero.mp4", &["holds no frames"]),
        ("grows.ts", &["of grows.ts is 80×60", "began at 64×48", "one size"]),
        ("shrinks.ts", &["of shrinks.ts is 64×48", "began at 80×60", "one size"]),
        ("nowhere.mp4", &["cannot read", "nowhere.mp4"]),
    ];
    for (name, words) in cases {
        stabilize(&path.join(name), &path.join("out"), &["--device", "cpu"]).refuses(words);
    }

    // With its index at the front, what there is of a cut video can be used; the person is told.
    ffmpeg(path, "-i whole.mp4 -c copy -movflags +faststart front.mp4");
    let front = std::fs::read(path.join("front.mp4")).expect("file");
    write("front-cut.mp4", &front[..front.len() * 3 / 4]);
    let out = path.join("out-front");
    let said = stabilize(&path.join("front-cut.mp4"), &out, &["--device", "cpu", "--method", "none"]);
    assert!(said.succeeds().err.contains("warning: front-cut.mp4 is damaged"), "{}", said.err);
    let count = names(&out.join("masks")).len();
    assert!((20..100).contains(&count), "{count} frames");
    check_results(&out, count, (160, 120));
}

#[test]
fn bad_folders_are_refused_in_words() {
    let folder = temp();
    let path = folder.path();
    let input = path.join("in");
    std::fs::create_dir_all(&input).expect("folder");
    let refuses = |words: &[&str]| stabilize(&input, &path.join("out"), &["--device", "cpu"]).refuses(words);
    refuses(&["holds no frames"]);
    for name in ["a.png", "b.png", "c.png"] {
        picture::write_gray(&input.join(name), &square(32, 24, 2, 2, 9)).expect("frame");
    }
    std::fs::write(input.join("b.png"), "broken").expect("file");
    refuses(&["b.png"]);
    picture::write_gray(&input.join("b.png"), &square(30, 24, 2, 2, 9)).expect("frame");
    refuses(&["b.png is 30×24", "began at 32×24"]);
    std::fs::remove_file(input.join("b.png")).expect("file");
    ffmpeg(&input, "-i a.png a.jpg");
    refuses(&["a.jpg", "a.png", "one name"]);
}

#[test]
fn bad_settings_name_field_value_and_range() {
    let folder = temp();
    ffmpeg(folder.path(), "-f lavfi -i testsrc=s=32x24:r=5:d=1 in.mp4");
    let input = folder.path().join("in.mp4");
    let cases: [(&[&str], &[&str]); 10] = [
        (&["--classes", "unicorn"], &["unicorn", "person", "dog"]),
        (&["--method", "magic"], &["method", "magic", "consensus, moving_average"]),
        (&["--window-size", "4"], &["window_size", "4", "3, 5, 7 or 9"]),
        (&["--alpha", "2"], &["alpha", "2", "0.1 to 0.9"]),
        (&["--look-ahead", "65"], &["look_ahead", "65", "0 to 64"]),
        (&["--look-ahead", "some"], &["look-ahead", "some", "0 to 64"]),
        (&["--threshold", "nan"], &["threshold", "NaN", "0.05 to 0.95"]),
        (&["--work-side", "7"], &["work_side", "7", "64 to 1080"]),
        (&["--input-side", "1081"], &["input_side", "1081", "64 to 1080"]),
        (&["--device", "abacus"], &["abacus", "cpu"]),
    ];
    for (arguments, words) in cases {
        stabilize(&input, &folder.path().join("out"), arguments).refuses(words);
    }
    run(&mut steadymask()).refuses(&["stabilize", "serve"]);
}

#[test]
fn missing_tools_and_permissions_are_said_plainly() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=32x24:r=5:d=1 in.mp4");
    let input = path.join("in.mp4");
    let without = |name: &str| {
        let mut command = steadymask();
        command.arg(name).env("PATH", path);
        command
    };
    let words = ["ffmpeg", "was not found in PATH", "apt install ffmpeg"];
    run(without("stabilize").arg(&input).arg("--out").arg(path.join("out"))).refuses(&words);
    run(without("serve").args(["--port", "0", "--data"]).arg(path.join("data"))).refuses(&words);
    // A folder under a file cannot be created by anyone, root included.
    let words = ["cannot create", "in.mp4", "a file, not a folder"];
    stabilize(&input, &input.join("out"), &["--device", "cpu"]).refuses(&words);
}

#[test]
#[cfg(unix)]
fn interrupt_ends_cleanly() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=320x240:r=25:d=60 -preset ultrafast long.mp4");
    let out = path.join("out");
    let mut child = steadymask()
        .arg("stabilize")
        .arg(path.join("long.mp4"))
        .arg("--out")
        .arg(&out)
        .args(["--device", "cpu"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("frames/s") {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("line") > 0, "it ended early");
    }
    let signal = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert!(signal.success());
    child.stderr = Some(stderr.into_inner());
    let said = finish(child);
    assert_eq!(said.status, Some(130), "{}", said.err);
    assert!(said.err.contains("interrupted"), "{}", said.err);
    assert_eq!(names(&out), ["masks", "raw"], "no half overlay is left");
    assert!(names(&out.join("masks")).iter().all(|name| name.ends_with(".png")));
}

/// A version 1 NumPy file of little-endian 32-bit floats: shape and values.
fn npy(path: &Path) -> (String, Vec<f32>) {
    let bytes = std::fs::read(path).expect("file");
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let end = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..end]).replace([' ', '\n'], "");
    assert!(header.contains("'descr':'<f4'") && header.contains("'fortran_order':False"), "{header}");
    let shape = header.split_once("'shape':").expect("shape").1.split_inclusive(')').next().expect("shape").to_owned();
    (shape, bytes[end..].as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

#[test]
fn logits_and_probabilities_of_a_network() {
    let folder = temp();
    let path = folder.path();
    ffmpeg(path, "-f lavfi -i testsrc=s=428x240:r=3:d=1 in.mp4");
    let segment = |more: &[&str]| {
        let mut command = steadymask();
        command.arg("segment").arg(path.join("in.mp4")).arg("--out").arg(path.join("out"));
        run(command.args(["--device", "cpu"]).args(more))
    };
    let said = segment(&["--logits"]);
    assert!(
        said.succeeds().err.contains("3/3 frames") && said.out.contains("3 frames by"),
        "{} {}",
        said.err,
        said.out
    );
    assert_eq!(names(&path.join("out")), ["logits"]);
    assert_eq!(names(&path.join("out/logits")), ["00000.npy", "00001.npy", "00002.npy"]);
    let (shape, values) = npy(&path.join("out/logits/00002.npy"));
    // The default network answers 577×321 pixels with a grid of 37×21.
    assert_eq!((shape.trim_end_matches(",)").trim_end_matches(')'), values.len()), ("(21,21,37", 21 * 21 * 37));
    assert!(values.iter().all(|v| v.is_finite()) && values.iter().any(|&v| v != values[0]));

    let said = segment(&["--classes", "person,background", "--work-side", "64"]);
    said.succeeds();
    assert_eq!(names(&path.join("out/probabilities")), ["00000.png", "00001.png", "00002.png", "index.json"]);
    let planes = mask(&path.join("out/probabilities"), "00001.png");
    assert_eq!(planes.size(), (114, 2 * 64));
    let (person, background) = planes.data().split_at(114 * 64);
    assert!(person.iter().zip(background).all(|(a, b)| u16::from(*a) + u16::from(*b) <= 256));

    segment(&["--classes", "person,background", "--work-side", "64", "--input-side", "97"]).succeeds();
    assert_ne!(mask(&path.join("out/probabilities"), "00001.png").data(), planes.data(), "it was shown less");

    segment(&["--logits", "--classes", "dog"]).refuses(&["--logits", "--classes"]);
    segment(&["--logits", "--input-side", "241"]).refuses(&["--logits", "--input-side"]);
    segment(&["--classes", "unicorn"]).refuses(&["unicorn", "person, "]);
    segment(&["--model", "nothing"]).refuses(&["no such network: nothing", "deeplabv3_mobilenet_v2-voc21"]);
    std::fs::write(path.join("broken.safetensors"), "broken").expect("file");
    let broken = path.join("broken.safetensors");
    segment(&["--model", broken.to_str().expect("UTF-8")]).refuses(&["broken.safetensors", "weights cannot be read"]);
    let weights = "../models/weights/deeplabv3_mobilenet_v2-voc21.f16.safetensors";
    let before = npy(&path.join("out/logits/00000.npy"));
    segment(&["--logits", "--model", weights]).succeeds();
    assert_eq!(npy(&path.join("out/logits/00000.npy")), before, "the same weights from a file");
}
