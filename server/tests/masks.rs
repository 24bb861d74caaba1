//! Masks of every format, in and out, and what is said of those that cannot be used.

mod common;

use std::path::{Path, PathBuf};

use common::{ffmpeg, square, temp};
use serde_json::json;
use steadymask_core::{BitMask, Plane, Rle, palette::PALETTE};
use steadymask_server::{masks::Masks, picture, source::Source};

const SIZE: (usize, usize) = (6, 5);
const FRAMES: usize = 4;

/// The level that `fixtures/make_arrays.py` gives to a pixel.
fn level(t: usize, class: usize, x: usize, y: usize) -> u8 {
    ((37 * x + 53 * y + 71 * t + 97 * class) % 256) as u8
}

fn levels(t: usize, class: usize) -> Plane<u8> {
    Plane::from_fn(SIZE.0, SIZE.1, |x, y| level(t, class, x, y))
}

fn binary(t: usize, class: usize) -> Plane<u8> {
    levels(t, class).map(|&v| if v > 127 { 255 } else { 0 })
}

/// Labels 1 and 2; where both classes are, the first.
fn labels(t: usize) -> Plane<u8> {
    Plane::from_fn(SIZE.0, SIZE.1, |x, y| match (level(t, 0, x, y) > 127, level(t, 1, x, y) > 127) {
        (true, _) => 1,
        (false, true) => 2,
        (false, false) => 0,
    })
}

fn is(labels: &Plane<u8>, label: u8) -> Plane<u8> {
    labels.map(|&l| if l == label { 255 } else { 0 })
}

/// A folder of `FRAMES` frames named as `stem` says.
fn frames(folder: &Path, stem: impl Fn(usize) -> String) -> Source {
    std::fs::create_dir_all(folder).expect("folder");
    for t in 0..FRAMES {
        picture::write_gray(&folder.join(format!("{}.png", stem(t))), &levels(t, 0)).expect("frame");
    }
    Source::open(folder).expect("frames")
}

fn numbered(folder: &Path) -> Source {
    frames(&folder.join("frames"), |t| format!("{t:05}"))
}

/// Names of the classes and their planes, a list a frame.
type Read = (Vec<String>, Vec<Vec<Plane<u8>>>);

fn read(path: &Path, source: &Source) -> Result<Read, String> {
    let masks = Masks::open(path, source).map_err(|e| e.to_string())?;
    let all = masks.choose(&[]).map_err(|e| e.to_string())?;
    let planes = masks.read(&all).map_err(|e| e.to_string())?.take(source.frames()).collect::<Result<_, _>>();
    let names = masks.classes().iter().map(|class| class.name.clone()).collect();
    Ok((names, planes.map_err(|e| e.to_string())?))
}

#[track_caller]
fn check(path: &Path, source: &Source, names: &[&str], expected: impl Fn(usize) -> Vec<Plane<u8>>) {
    let (found, planes) = read(path, source).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    assert_eq!(found, names, "{}", path.display());
    assert_eq!(planes, (0..FRAMES).map(expected).collect::<Vec<_>>(), "{}", path.display());
}

fn write_each(folder: &Path, write: impl Fn(usize, &Path)) -> PathBuf {
    std::fs::create_dir_all(folder).expect("folder");
    (0..FRAMES).for_each(|t| write(t, &folder.join(format!("{t:05}.png"))));
    folder.to_path_buf()
}

fn text(t: usize, class: usize) -> String {
    Rle::encode(&BitMask::from_threshold(&levels(t, class), 127)).text()
}

fn counts(t: usize, class: usize) -> Vec<u32> {
    Rle::encode(&BitMask::from_threshold(&levels(t, class), 127)).counts().to_vec()
}

#[test]
fn arrays_are_read_as_numpy_wrote_them() {
    let folder = temp();
    let source = numbered(folder.path());
    let arrays = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arrays");
    let one = |name: &str, expected: fn(usize, usize) -> Plane<u8>| {
        check(&arrays.join(name), &source, &["object"], |t| vec![expected(t, 0)]);
    };
    for name in ["levels.npy", "float16.npz", "float32-big-endian.npz", "float64.npz", "by-frame.npz"] {
        one(name, levels);
    }
    one("bool.npz", binary);
    one("zero-one.npz", binary);
    for name in ["stack.npz", "by-class.npz"] {
        check(&arrays.join(name), &source, &["cat", "dog"], |t| vec![levels(t, 0), levels(t, 1)]);
    }
    check(&arrays.join("labels.npz"), &source, &["cat", "dog"], |t| vec![is(&labels(t), 1), is(&labels(t), 2)]);
    // A name that says nothing: what it is, is told by how it begins.
    let nameless = folder.path().join("masks.mp4");
    std::fs::copy(arrays.join("stack.npz"), &nameless).expect("copy");
    check(&nameless, &source, &["cat", "dog"], |t| vec![levels(t, 0), levels(t, 1)]);
    let masks = Masks::open(&nameless, &source).expect("masks");
    assert_eq!(masks.choose(&["dog".into()]).ok(), Some(vec![1]));
    let dogs: Vec<_> = masks.read(&[1]).expect("planes").take(FRAMES).collect::<Result<_, _>>().expect("planes");
    assert_eq!(dogs, (0..FRAMES).map(|t| vec![levels(t, 1)]).collect::<Vec<_>>());
    let error = masks.choose(&["cow".into()]).expect_err("no cow").to_string();
    assert!(error.contains("classes: cow") && error.contains("those of the masks: cat, dog"), "{error}");
}

#[test]
fn pictures_hold_levels_labels_or_colours() {
    let folder = temp();
    let (path, source) = (folder.path(), numbered(folder.path()));
    let made = |name: &str, write: &dyn Fn(usize, &Path)| write_each(&path.join(name), write);
    let gray = made("gray", &|t, file| picture::write_gray(file, &levels(t, 0)).expect("mask"));
    check(&gray, &source, &["object"], |t| vec![levels(t, 0)]);
    let bits = made("bits", &|t, file| picture::write_bits(file, &levels(t, 0)).expect("mask"));
    check(&bits, &source, &["object"], |t| vec![binary(t, 0)]);
    let indices = made("indices", &|t, file| {
        picture::write_labels(file, &labels(t).map(|&l| 3 * l), &PALETTE).expect("mask");
    });
    check(&indices, &source, &["3", "6"], |t| vec![is(&labels(t), 1), is(&labels(t), 2)]);
    // 255 is unlabelled beside others; alone it is the object.
    let void = made("void", &|t, file| {
        picture::write_labels(file, &labels(t).map(|&l| [0, 4, 255][usize::from(l)]), &PALETTE).expect("mask");
    });
    check(&void, &source, &["4"], |t| vec![is(&labels(t), 1)]);
    let alone = made("alone", &|t, file| picture::write_labels(file, &binary(t, 0), &PALETTE).expect("mask"));
    check(&alone, &source, &["255"], |t| vec![binary(t, 0)]);
    let nothing = Plane::filled(SIZE.0, SIZE.1, 0);
    let empty = made("empty", &|_, file| picture::write_labels(file, &nothing, &PALETTE).expect("mask"));
    check(&empty, &source, &["object"], |_| vec![nothing.clone()]);
    let colors = [[0; 3], [250, 10, 20], [7, 8, 9]];
    let colored = made("colored", &|t, file| {
        picture::write_rgb(file, &labels(t).map(|&l| colors[usize::from(l)])).expect("mask");
    });
    check(&colored, &source, &["#070809", "#fa0a14"], |t| vec![is(&labels(t), 2), is(&labels(t), 1)]);
    let rgb = made("rgb", &|t, file| picture::write_rgb(file, &levels(t, 0).map(|&v| [v; 3])).expect("mask"));
    check(&rgb, &source, &["object"], |t| vec![levels(t, 0)]);
    let classes = path.join("classes");
    for (class, name) in ["cat", "dog"].into_iter().enumerate() {
        write_each(&classes.join(name), |t, file| picture::write_gray(file, &levels(t, class)).expect("mask"));
    }
    check(&classes, &source, &["cat", "dog"], |t| vec![levels(t, 0), levels(t, 1)]);
    // The palette's colours, and its labels, survive.
    let masks = Masks::open(&indices, &source).expect("masks");
    let kept: Vec<_> = masks.classes().iter().map(|class| (class.id, class.color)).collect();
    assert_eq!(kept, [(3, PALETTE[3]), (6, PALETTE[6])]);
}

#[test]
fn run_lengths_are_read_picture_by_picture_or_track_by_track() {
    let folder = temp();
    let (path, source) = (folder.path(), numbered(folder.path()));
    let size = json!([SIZE.1, SIZE.0]);
    let file = |name: &str, value: &serde_json::Value| {
        let file = path.join(name);
        std::fs::write(&file, value.to_string()).expect("file");
        file
    };
    let nothing = || Plane::filled(SIZE.0, SIZE.1, 0);
    // Results: a list; frame 2 has none, one class compressed, the other not. Ids count from 0, or from 1.
    for first in [0, 1] {
        let mut list = Vec::new();
        for t in [0, 1, 3] {
            let (image, score) = (first + t, 0.5);
            let segmentation = json!({"size": size, "counts": text(t, 0)});
            list.push(json!({"image_id": image, "category_id": 7, "segmentation": segmentation, "score": score}));
            let segmentation = json!({"size": size, "counts": counts(t, 1)});
            list.push(json!({"image_id": image, "category_id": 2, "segmentation": segmentation}));
        }
        let results = file("results.json", &json!(list));
        if first == 0 {
            check(&results, &source, &["2", "7"], |t| match t {
                2 => vec![nothing(), nothing()],
                _ => vec![binary(t, 1), binary(t, 0)],
            });
        }
        let named = frames(&path.join("named"), |t| ["a", "b", "c", "d"][t].into());
        check(&results, &named, &["2", "7"], |t| match t {
            2 => vec![nothing(), nothing()],
            _ => vec![binary(t, 1), binary(t, 0)],
        });
    }
    // A dataset: images by their file names, in any order; two annotations of one category are united.
    let images: Vec<_> =
        (0..FRAMES).rev().map(|t| json!({"id": 100 + t, "file_name": format!("x/{t:05}.jpg")})).collect();
    let annotations: Vec<_> = (0..FRAMES)
        .flat_map(|t| [0, 1].map(|class| (t, class)))
        .map(|(t, class)| {
            let segmentation = json!({"size": size, "counts": text(t, class)});
            json!({"id": 1, "image_id": 100 + t, "category_id": 1, "segmentation": segmentation, "iscrowd": 1})
        })
        .collect();
    let categories = json!([{"id": 1, "name": "cat", "supercategory": "animal"}, {"id": 9, "name": "unused"}]);
    let mut dataset = json!({"info": {}, "images": images, "annotations": annotations, "categories": categories});
    let united = |t| vec![labels(t).map(|&l| if l > 0 { 255 } else { 0 })];
    check(&file("dataset.json", &dataset), &source, &["cat"], united);
    // File names that are none of the frames', but as many images as frames: in the order of the list.
    for (t, image) in dataset["images"].as_array_mut().expect("list").iter_mut().rev().enumerate() {
        image["file_name"] = json!(format!("frame {t}.jpg"));
    }
    dataset["images"].as_array_mut().expect("list").reverse();
    check(&file("dataset.json", &dataset), &source, &["cat"], united);
    // Tracks: two of one category stay two objects; null is empty.
    let track = |class: usize| {
        let at = |t: usize| (t != 2).then(|| json!({"size": size, "counts": text(t, class)}));
        let segmentations: Vec<_> = (0..FRAMES).map(at).collect();
        json!({"video_id": 1, "category_id": 1, "segmentations": segmentations, "score": 0.9})
    };
    let tracks = json!({"annotations": [track(0), track(1)], "categories": categories});
    let expected = |t: usize| match t {
        2 => vec![nothing(), nothing()],
        _ => vec![binary(t, 0), binary(t, 1)],
    };
    check(&file("tracks.json", &tracks), &source, &["cat", "cat"], expected);
    check(&file("tracks.json", &tracks["annotations"]), &source, &["1", "1"], expected);
    let masks = Masks::open(&file("tracks.json", &tracks), &source).expect("masks");
    assert_eq!(masks.choose(&["cat".into()]).ok(), Some(vec![0, 1]));
    // What is not needed may be of any kind.
    let mut loose = tracks.clone();
    loose["videos"] = json!([{"id": 1, "width": 6.0, "height": null, "length": "4", "file_names": null, "name": null}]);
    loose["images"] = json!([{"id": 0, "file_name": "x.jpg", "width": 640.5, "height": "480"}]);
    check(&file("loose.json", &loose), &source, &["cat", "cat"], expected);
    // Nothing found in the whole clip.
    check(&file("none.json", &json!([])), &source, &["object"], |_| vec![nothing()]);
}

#[test]
fn videos_are_read_as_luma() {
    let folder = temp();
    let path = folder.path();
    let source = numbered(path);
    let bytes: Vec<u8> = (0..FRAMES).flat_map(|t| levels(t, 0).into_vec()).collect();
    std::fs::write(path.join("raw"), bytes).expect("file");
    ffmpeg(path, "-f rawvideo -pix_fmt gray -video_size 6x5 -i raw -c:v ffv1 lossless.mkv");
    check(&path.join("lossless.mkv"), &source, &["object"], |t| vec![levels(t, 0)]);
    // Levels that a codec of limited range has: black and white come back as 0 and 255.
    let masks = path.join("masks");
    std::fs::create_dir_all(&masks).expect("folder");
    let large = |t: usize| square(64, 48, 8 * t, 8, 24);
    (0..FRAMES).for_each(|t| picture::write_gray(&masks.join(format!("{t:05}.png")), &large(t)).expect("mask"));
    ffmpeg(path, "-i masks/%05d.png -c:v libx264 -pix_fmt yuv420p -qp 0 limited.mp4");
    ffmpeg(path, "-i masks/%05d.png -c:v mjpeg -pix_fmt yuvj420p -q:v 1 full.avi");
    check(&path.join("limited.mp4"), &source, &["object"], |t| vec![large(t)]);
    let (_, full) = read(&path.join("full.avi"), &source).expect("masks");
    for (t, planes) in full.iter().enumerate() {
        let worst = planes[0].data().iter().zip(large(t).data()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst < Some(8), "frame {t}: {worst:?}");
    }
    let classes = path.join("classes");
    std::fs::create_dir_all(&classes).expect("folder");
    for name in ["cat.mkv", "dog.mkv"] {
        std::fs::copy(path.join("lossless.mkv"), classes.join(name)).expect("copy");
    }
    check(&classes, &source, &["cat", "dog"], |t| vec![levels(t, 0), levels(t, 0)]);
}

/// What goes out comes in again, and goes out again as the same bytes: levels of noise, on frames larger than the work
/// size, under names that a file cannot have.
#[test]
fn every_format_survives_the_way_out_and_in_again() {
    let folder = temp();
    let path = folder.path();
    let (width, height) = (131, 97);
    let noise = |t: usize, class: usize| {
        Plane::from_fn(width, height, |x, y| {
            let blob = (x + 7 * t) / 32 % 2 == class % 2 && y / 16 % 3 != class;
            let grain = ((x * 7919 + y * 104_729 + t * 1_299_709 + class * 15_485_863) >> 3) % 128;
            (grain + if blob { 128 } else { 0 }) as u8
        })
    };
    let input = path.join("in");
    std::fs::create_dir_all(&input).expect("folder");
    for t in 0..FRAMES {
        picture::write_gray(&input.join(format!("shot {t}.png")), &noise(t, 3)).expect("frame");
    }
    let run = |masks: &Path, out: &Path, classes: &[&str]| {
        let formats = "png,palette,color,probability,coco,coco-results,youtube-vis,npz,video";
        let mut command = common::steadymask();
        command.arg("stabilize").arg(&input).arg("--masks").arg(masks).arg("--out").arg(out).args(classes);
        common::run(command.args(["--method", "none", "--work-side", "64", "--export", formats])).succeeds();
    };
    let source = Source::open(&input).expect("frames");
    let read = |path: &Path| read(path, &source).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let planes = |binary: bool, classes: usize| -> Vec<Vec<Plane<u8>>> {
        let level = |t: usize, class: usize| match binary {
            true => noise(t, class).map(|&v| if v > 127 { 255 } else { 0 }),
            false => noise(t, class),
        };
        (0..FRAMES).map(|t| (0..classes).map(|class| level(t, class)).collect()).collect()
    };
    let files = |out: &Path| {
        let mut files = Vec::new();
        let mut folders = vec![out.to_path_buf()];
        while let Some(folder) = folders.pop() {
            for name in common::names(&folder) {
                let path = folder.join(&name);
                match path.is_dir() {
                    true => folders.push(path),
                    // It tells the time it took.
                    false if name == "metrics.json" => {}
                    // A Matroska file has a random number of its own.
                    false if name.ends_with(".mkv") => {}
                    false => files.push((path.strip_prefix(out).expect("inside").to_path_buf(), std::fs::read(&path))),
                }
            }
        }
        files.sort_by(|a, b| a.0.cmp(&b.0));
        files.into_iter().map(|(name, bytes)| (name, bytes.expect("file"))).collect::<Vec<_>>()
    };
    let lossless = ["npz", "probability", "video"];
    for (classes, names) in [(1, ["object", "", ""]), (3, ["a/b", "cat", "cat"])] {
        let names = &names[..classes];
        // Three classes that never overlap above one half; NumPy's names may be any.
        let bring = path.join(format!("bring-{classes}"));
        if classes == 1 {
            std::fs::create_dir_all(&bring).expect("folder");
            for t in 0..FRAMES {
                picture::write_gray(&bring.join(format!("shot {t}.png")), &noise(t, 0)).expect("mask");
            }
        } else {
            let size = json!([height, width]);
            let track = |class: usize| {
                let rle = |t: usize| Rle::encode(&BitMask::from_threshold(&noise(t, class), 127));
                let at = |t: usize| json!({"size": size, "counts": rle(t).counts()});
                let segmentations: Vec<_> = (0..FRAMES).map(at).collect();
                json!({"video_id": 1, "category_id": (if class == 0 { 5 } else { 1 }), "segmentations": segmentations})
            };
            let categories = json!([{"id": 1, "name": "cat"}, {"id": 5, "name": "a/b"}]);
            let tracks = json!({"annotations": [track(0), track(1), track(2)], "categories": categories});
            std::fs::write(&bring, tracks.to_string()).expect("file");
        }
        let first = path.join(format!("first-{classes}"));
        run(&bring, &first, &[]);
        let made = files(&first);
        // Where classes overlap, the first has the pixel.
        let exclusive: Vec<Vec<Plane<u8>>> = planes(true, classes)
            .into_iter()
            .map(|planes| {
                let taken = |class: usize, x: usize, y: usize| planes[..class].iter().any(|p| p.get(x, y) > 0);
                let free = |class: usize| {
                    Plane::from_fn(width, height, |x, y| if taken(class, x, y) { 0 } else { planes[class].get(x, y) })
                };
                (0..classes).map(free).collect()
            })
            .collect();
        // The raw masks are those that came.
        for (t, planes) in planes(true, classes).iter().enumerate() {
            let raw = picture::read_mask(&first.join(format!("raw/shot {t}.png"))).expect("mask");
            assert_eq!(raw, steadymask_core::union_of(planes));
        }
        let video = if classes == 1 { "mask.mkv" } else { "video" };
        let cases = [
            ("png", "png"),
            ("palette", "palette"),
            ("color", "color"),
            ("probability", "probability"),
            ("coco", "coco.json"),
            ("coco-results", "coco-results.json"),
            ("youtube-vis", "youtube-vis.json"),
            ("npz", "masks.npz"),
            ("video", video),
        ];
        for (format, file) in cases {
            let (found, came) = read(&first.join(file));
            // Two objects of one category are one again in formats that know no tracks; files need names of their own.
            let expected: Vec<&str> = match (format, classes) {
                ("palette", 1) => vec!["1"],
                ("palette", _) => vec!["1", "2", "3"],
                ("color", 1) => vec!["#800000"],
                ("color", _) => vec!["#800000", "#008000", "#808000"],
                ("coco-results", 1) => vec!["1"],
                ("coco-results", _) => vec!["1", "5"],
                ("coco", 3) => vec!["cat", "a/b"],
                ("png" | "probability" | "video", 3) => vec!["a_b", "cat", "cat-2"],
                _ => names.to_vec(),
            };
            assert_eq!(found, expected, "{format}");
            let as_they_were =
                if lossless.contains(&format) { planes(classes > 1, classes) } else { exclusive.clone() };
            if classes == 3 && format.starts_with("coco") {
                let united: Vec<_> = as_they_were
                    .iter()
                    .map(|planes| vec![steadymask_core::union_of(&planes[1..]), planes[0].clone()])
                    .collect();
                assert_eq!(came, united, "{format}");
                continue;
            }
            assert_eq!(came, as_they_were, "{format}");
            let again = path.join(format!("again-{classes}-{format}"));
            run(&first.join(file), &again, &[]);
            let remade = files(&again);
            // The format itself, and every other that holds no more than it, is the same to the last bit.
            let comparable = |name: &Path| {
                let name = name.to_string_lossy();
                let itself = name.starts_with(file);
                let labels = ["png/", "palette/", "masks/", "raw/", "overlay"];
                itself || classes == 1 && labels.iter().any(|label| name.starts_with(label))
            };
            let pick = |files: &[(PathBuf, Vec<u8>)]| {
                files.iter().filter(|(name, _)| comparable(name)).cloned().collect::<Vec<_>>()
            };
            assert!(pick(&made) == pick(&remade), "{format} of {classes} classes changes on its way");
            assert_eq!(read(&again.join(file)).1, came, "{format}");
        }
    }
    let out = path.join("first-3");
    let leftovers: Vec<_> = common::names(&out).into_iter().filter(|name| name.contains("partial")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    // A class by its name: both cats, and no a/b.
    let cats = path.join("cats");
    run(&out.join("youtube-vis.json"), &cats, &["--classes", "cat"]);
    assert_eq!(read(&cats.join("masks.npz")).0, ["cat", "cat"]);
    let said = common::run(
        common::steadymask()
            .arg("stabilize")
            .arg(&input)
            .arg("--out")
            .arg(path.join("x"))
            .args(["--export", "png,gif"]),
    );
    said.refuses(&["export", "gif", "png, palette, color"]);
}

/// An NPY file of these bytes.
fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    header(&format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"), data)
}

fn header(text: &str, data: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00", (text.len() as u16).to_le_bytes().as_slice(), text.as_bytes(), data].concat()
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(format!("{name}.npy"), options).expect("entry");
        std::io::Write::write_all(&mut zip, array).expect("entry");
    }
    zip.finish().expect("archive").into_inner()
}

/// Every file fails with its name, the value, and what is allowed; no panic, and no memory for what it only claims.
#[test]
fn masks_that_cannot_be_used_are_refused_with_value_and_range() {
    let folder = temp();
    let (path, source) = (folder.path(), numbered(folder.path()));
    let pixels = SIZE.0 * SIZE.1;
    let size = json!([SIZE.1, SIZE.0]);

    // Files.
    let (good, counts) = (text(0, 0), counts(0, 0));
    let result = |segmentation: serde_json::Value| {
        json!([{"image_id": 0, "category_id": 1, "segmentation": segmentation}]).to_string().into_bytes()
    };
    let run = |counts: serde_json::Value| result(json!({"size": size, "counts": counts}));
    let track = |masks: serde_json::Value| json!({"video_id": 1, "category_id": 1, "segmentations": masks});
    let tracks = |list: Vec<serde_json::Value>| json!(list).to_string().into_bytes();
    let nulls = || json!([null, null, null, null]);
    let u8s = |frames: usize| npy("'|u1'", "False", &format!("({frames}, 5, 6)"), &vec![9; frames * pixels]);
    let floats = |value: f32| {
        let mut values = vec![0.5_f32; FRAMES * pixels];
        values[2 * pixels + 6 + 3] = value;
        let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
        npz(&[("masks", npy("'<f4'", "False", "(4, 5, 6)", &bytes))])
    };
    let whole = npz(&[("masks", u8s(FRAMES))]);
    let mut corrupt = whole.clone();
    // Inside the compressed array, behind its local header of 30 bytes and its name.
    corrupt[30 + 9 + 20] ^= 0x55;
    let mut long_header = u8s(FRAMES);
    long_header.splice(6..10, [2, 0, 255, 255, 255, 255]);
    let shifted: Vec<u8> = (0..FRAMES * pixels).flat_map(|v| (v as i16 + 140).to_le_bytes()).collect();
    let names = npy("'<U3'", "False", "(1,)", b"c\0\0\0a\0\0\0t\0\0\0");
    let one = || npy("'|u1'", "False", "(5, 6)", &vec![9; pixels]);
    let files: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("empty", vec![], &["empty", "does not begin as JSON, NPY or NPZ", "the file is empty"]),
        ("text", b"masks, more or less\n".repeat(9), &["text", "not a video that can be read"]),
        ("cut.json", b"[{\"image_id\": 0, \"category".to_vec(), &["cut.json", "EOF", "line 1"]),
        ("latin.json", b"[{\"image_id\": \"caf\xE9\"}]".to_vec(), &["latin.json", "invalid unicode"]),
        (
            "deep.json",
            [b"[{\"x\": ".to_vec(), b"[".repeat(100_000)].concat(),
            &["deep.json", "EOF while parsing a list"],
        ),
        ("polygon.json", result(json!([[1, 2, 3, 4, 5, 6]])), &["polygon.json", "sequence", "polygons are not read"]),
        ("number.json", b"[7]".to_vec(), &["number.json", "integer `7`"]),
        ("character.json", run(json!("5~1")), &["annotation 0", "character 1", "'~'", "'0' to 'o'"]),
        ("cut-run.json", run(json!(good[..good.len() - 1])), &["annotation 0", "expected 30, which is 6×5"]),
        ("overflow.json", run(json!([3, 28])), &["run 1 is 28 pixels", "0 to 27"]),
        ("huge.json", run(json!([5_000_000_000_u64])), &["huge.json", "5000000000", "u32"]),
        ("negative.json", run(json!([-3, 33])), &["negative.json", "-3", "u32"]),
        ("no-size.json", result(json!({"counts": good})), &["no-size.json", "missing field `size`"]),
        ("zero.json", result(json!({"size": [0, 6], "counts": good})), &["annotation 0", "6×0", "1 to 16384"]),
        ("giant.json", result(json!({"size": [5, 1_u64 << 40], "counts": good})), &["1099511627776×5", "1 to 16384"]),
        (
            "beyond.json",
            json!([{"image_id": 9, "category_id": 1, "segmentation": {"size": size, "counts": counts}}])
                .to_string()
                .into_bytes(),
            &["image_id 9", "annotation 0", "belongs to no frame", "expected the 4 names"],
        ),
        (
            "category.json",
            json!([{"image_id": 0, "segmentation": {"size": size, "counts": counts}}]).to_string().into_bytes(),
            &["missing field `category_id`"],
        ),
        (
            "nothing.json",
            json!([{"image_id": 0, "category_id": 1}]).to_string().into_bytes(),
            &["annotation 0 has no segmentation"],
        ),
        (
            "sizes.json",
            json!([
                {"image_id": 0, "category_id": 1, "segmentation": {"size": size, "counts": counts}},
                {"image_id": 1, "category_id": 1, "segmentation": {"size": [2, 2], "counts": [4]}},
            ])
            .to_string()
            .into_bytes(),
            &["annotation 1", "2×2", "expected 6×5"],
        ),
        (
            "images.json",
            json!({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}).to_string().into_bytes(),
            &["\"a.jpg\"", "belongs to no frame"],
        ),
        ("short-track.json", tracks(vec![track(json!([null]))]), &["annotation 0 has 1 segmentations", "expected 4"]),
        (
            "two-videos.json",
            tracks(vec![track(nulls()), json!({"video_id": 2, "category_id": 1, "segmentations": nulls()})]),
            &["annotation 1 is of the video 2", "expected one video, 1"],
        ),
        (
            "mixed.json",
            tracks(vec![track(nulls()), json!({"image_id": 0, "category_id": 1})]),
            &["1 of its 2 annotations"],
        ),
        ("crowd.json", tracks((0..256).map(|_| track(nulls())).collect()), &["256 classes or objects", "1 to 255"]),
        ("cut.npz", whole[..whole.len() / 2].to_vec(), &["cut.npz"]),
        ("none.npz", npz(&[]), &["none.npz", "no array"]),
        ("corrupt.npz", corrupt, &["corrupt.npz", "array \"masks\""]),
        ("nan.npz", floats(f32::NAN), &["nan.npz", "array \"masks\"", "frame 2", "(3, 1) is NaN", "0 to 1"]),
        ("logit.npz", floats(1.5), &["frame 2", "(3, 1) is 1.5", "0 to 1"]),
        ("infinite.npz", floats(f32::NEG_INFINITY), &["(3, 1) is -inf", "0 to 1"]),
        ("frames.npz", npz(&[("masks", u8s(3))]), &["array \"masks\" is [3, 5, 6]", "3 frames; expected 4"]),
        ("type.npz", npz(&[("masks", npy("'<c8'", "False", "(4, 5, 6)", &[0; 960]))]), &["'<c8'", "bool, an integer"]),
        ("long-double.npz", npz(&[("masks", npy("'<f16'", "False", "(4, 5, 6)", &[0; 1920]))]), &["'<f16'", "float64"]),
        ("object.npz", npz(&[("masks", npy("'|O'", "False", "(4, 5, 6)", &[0; 960]))]), &["'|O'", "bool, an integer"]),
        ("record.npy", npy("[('a', '<f4')]", "False", "(4, 5, 6)", &[0; 480]), &["record.npy", "('a', '<f4')", "bool"]),
        ("truth.npy", npy("'|b1'", "False", "(4, 5, 6)", &[2; 120]), &["truth.npy", "is 2", "0 or 1"]),
        ("integers.npy", npy("'<i2'", "False", "(4, 5, 6)", &shifted), &["frame 3", "is 256", "0 to 255"]),
        ("fortran.npy", npy("'|u1'", "True", "(4, 5, 6)", &[0; 120]), &["Fortran", "ascontiguousarray"]),
        ("line.npy", npy("'|u1'", "False", "(120,)", &[0; 120]), &["1 dimensions", "2 to 4"]),
        ("wide.npy", npy("'|u1'", "False", "(4, 1, 20000)", &[0; 9]), &["20000×1", "1 to 16384"]),
        ("flat.npy", npy("'|u1'", "False", "(4, 0, 6)", &[]), &["6×0", "1 to 16384"]),
        (
            "claims.npy",
            npy("'|u1'", "False", "(4, 16000, 16000)", &[0; 9]),
            &["bytes; expected 10240000", "as its header says"],
        ),
        ("endless.npy", npy("'<f8'", "False", "(18446744073709551615, 16384, 16384)", &[]), &["more than 2^64"]),
        (
            "classes.npy",
            npy("'|u1'", "False", "(4, 9999999999, 900, 900)", &[0; 9]),
            &["9999999999 classes of 900×900", "1 to 331"],
        ),
        (
            "many.npy",
            npy("'|u1'", "False", "(4, 300, 5, 6)", &vec![0; 36_000]),
            &["300 classes or objects", "1 to 255"],
        ),
        ("five.npy", npy("'|u1'", "False", "(1, 1, 4, 5, 6)", &[0; 120]), &["5 dimensions", "2 to 4"]),
        ("surplus.npy", [u8s(FRAMES), vec![1]].concat(), &["bytes; expected", "as its header says"]),
        ("header.npy", header("{'descr': '|u1', 'shape'", &[]), &["header cannot be read"]),
        ("nested.npy", header(&"(".repeat(9_000), &[]), &["nested.npy", "header"]),
        ("long-header.npy", long_header, &["header has 4294967295 bytes", "at most 10000"]),
        ("magic.npy", b"\x93NUMPY\x09\x00\x02\x00{}".to_vec(), &["magic.npy", "header"]),
        (
            "shapes.npz",
            npz(&[("a", u8s(FRAMES)), ("b", u8s(3))]),
            &["\"b\" is [3, 5, 6]", "\"a\" is [4, 5, 6]", "one shape"],
        ),
        (
            "names.npz",
            npz(&[("masks", npy("'|u1'", "False", "(4, 2, 5, 6)", &[0; 240])), ("classes", names)]),
            &["\"classes\" has 1 names; expected 2"],
        ),
        (
            "missing.npz",
            npz(&[("arr_0", one()), ("arr_1", one()), ("arr_3", one())]),
            &["00002", "missing", "4 frames"],
        ),
        (
            "extra.npz",
            npz(&["arr_0", "arr_1", "arr_2", "arr_3", "arr_4"].map(|name| (name, one()))),
            &["arr_4", "belongs to no frame"],
        ),
        (
            "single.npz",
            npz(&[("masks", one())]),
            &["\"masks\" is [5, 6]", "expected one array [frames, height, width]"],
        ),
    ];
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut refuses = |path: &Path, words: &[&str]| {
        count += 1;
        let name = path.file_name().expect("name").to_string_lossy();
        match read(path, &source) {
            Ok(_) => wrong.push(format!("{name} is accepted")),
            Err(error) => {
                let missing = words.iter().filter(|word| !error.contains(**word));
                wrong.extend(missing.map(|word| format!("{name}: {word:?} is not in: {error}")));
                if error.len() > 500 {
                    wrong.push(format!("{name} is told at length: {error}"));
                }
            }
        }
    };
    for (name, bytes, words) in &files {
        let file = path.join(name);
        std::fs::write(&file, bytes).expect("file");
        refuses(&file, &[*words, &[*name]].concat());
    }
    refuses(&path.join("nowhere"), &["cannot read"]);

    // Folders.
    let made = |name: &str, change: &dyn Fn(&Path)| {
        let folder = write_each(&path.join(name), |t, file| picture::write_gray(file, &levels(t, 0)).expect("mask"));
        change(&folder);
        folder
    };
    let png = |file: &Path, color, (width, height), bytes: &[u8]| {
        let mut encoder = png::Encoder::new(std::fs::File::create(file).expect("file"), width, height);
        encoder.set_color(color);
        encoder.write_header().and_then(|mut writer| writer.write_image_data(bytes)).expect("picture");
    };
    let cut = |file: &Path| {
        let bytes = std::fs::read(file).expect("file");
        std::fs::write(file, &bytes[..bytes.len() - 20]).expect("file");
    };
    let folders: Vec<(PathBuf, &[&str])> = vec![
        (made("cut-png", &|folder| cut(&folder.join("00002.png"))), &["00002.png"]),
        (made("no-png", &|folder| std::fs::write(folder.join("00001.png"), "hello").expect("file")), &["00001.png"]),
        (
            made("gap", &|folder| std::fs::remove_file(folder.join("00002.png")).expect("file")),
            &["00002.png", "missing"],
        ),
        (
            made("more", &|folder| drop(std::fs::copy(folder.join("00000.png"), folder.join("00004.png")))),
            &["00004.png", "belongs to no frame"],
        ),
        (
            made("alpha", &|folder| png(&folder.join("00001.png"), png::ColorType::Rgba, (6, 5), &[9; 120])),
            &["00001.png", "Rgba", "without transparency"],
        ),
        (
            made("mixed", &|folder| png(&folder.join("00003.png"), png::ColorType::Rgb, (6, 5), &[9; 90])),
            &["00003.png", "Rgb", "00000.png is Grayscale", "gray or palette"],
        ),
        (
            made("wide", &|folder| {
                png(&folder.join("00001.png"), png::ColorType::Grayscale, (20_000, 1), &[0; 20_000])
            }),
            &["20000×1", "1 to 16384"],
        ),
        (
            made("blended", &|folder| {
                let colors: Vec<u8> = (0..900_u32).flat_map(|v| [v as u8, (v / 256) as u8 + 1, 0]).collect();
                (0..FRAMES).for_each(|t| {
                    png(&folder.join(format!("{t:05}.png")), png::ColorType::Rgb, (30, 30), &colors);
                });
            }),
            &["00000.png", "more than 255 colours"],
        ),
    ];
    for (folder, words) in &folders {
        refuses(folder, words);
    }
    std::fs::create_dir_all(path.join("bare")).expect("folder");
    refuses(&path.join("bare"), &["0 folders and 0 files", "expected PNG files"]);
    let classes = path.join("classes");
    write_each(&classes.join("cat"), |t, file| picture::write_gray(file, &levels(t, 0)).expect("mask"));
    write_each(&classes.join("dog"), |_, file| picture::write_gray(file, &Plane::filled(4, 4, 0)).expect("mask"));
    refuses(&classes, &["00000.png of the class dog is 4×4", "began at 6×5"]);

    // Videos.
    ffmpeg(path, "-f lavfi -i testsrc=s=64x48:r=5:d=1 five.mkv");
    refuses(&path.join("five.mkv"), &["5 frames", "expected 4"]);
    ffmpeg(path, "-f lavfi -i sine=d=1 sound.m4a");
    refuses(&path.join("sound.m4a"), &["no video track"]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "{count} cases");
}

/// Files with bytes changed, cut or repeated are read or refused, never worse.
#[test]
fn damaged_files_do_no_harm() {
    let folder = temp();
    let (path, source) = (folder.path(), numbered(folder.path()));
    let arrays = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arrays");
    let array = |name: &str| (name.to_owned(), std::fs::read(arrays.join(name)).expect("file"));
    let size = json!([SIZE.1, SIZE.0]);
    let list: Vec<_> = (0..FRAMES)
        .map(|t| json!({"image_id": t, "category_id": t, "segmentation": {"size": size, "counts": text(t, 0)}}))
        .collect();
    let segmentations: Vec<_> = (0..FRAMES).map(|t| json!({"size": size, "counts": counts(t, 0)})).collect();
    let track = json!([{"video_id": 1, "category_id": 1, "segmentations": segmentations}]);
    let files = [
        array("levels.npy"),
        array("stack.npz"),
        array("by-frame.npz"),
        array("labels.npz"),
        ("list.json".into(), json!(list).to_string().into_bytes()),
        ("track.json".into(), track.to_string().into_bytes()),
    ];
    // Numerical Recipes' generator: the same damage every time.
    let mut state = 1_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let (mut taken, mut refused) = (0, 0);
    for (name, good) in &files {
        for _ in 0..300 {
            let mut bytes = good.clone();
            for _ in 0..=random(3) {
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes[at] = random(256) as u8,
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes.truncate(at.max(1)),
                    _ => bytes.insert(at, bytes[at]),
                }
            }
            // What no longer begins as its format would be given to ffmpeg, whose own matter that is.
            let begins =
                matches!(bytes[0], b'[' | b'{') || bytes.starts_with(b"\x93NUMPY") || bytes.starts_with(b"PK\x03\x04");
            if begins {
                let file = path.join(name);
                std::fs::write(&file, bytes).expect("file");
                *if read(&file, &source).is_ok() { &mut taken } else { &mut refused } += 1;
            }
        }
    }
    assert!(taken > 50 && refused > 1000, "{taken} taken, {refused} refused");
    let good: Vec<Vec<u8>> = [true, false]
        .map(|palette| {
            let file = path.join("good.png");
            match palette {
                true => picture::write_labels(&file, &labels(0), &PALETTE).expect("mask"),
                false => picture::write_bits(&file, &levels(0, 0)).expect("mask"),
            }
            std::fs::read(file).expect("file")
        })
        .into();
    for good in good {
        for _ in 0..300 {
            let mut bytes = good.clone();
            let at = random(bytes.len());
            bytes[at] = random(256) as u8;
            let folder = write_each(&path.join("pictures"), |_, file| std::fs::write(file, &bytes).expect("file"));
            drop(read(&folder, &source));
        }
    }
}
