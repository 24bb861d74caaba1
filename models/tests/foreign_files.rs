//! Files as people, and those who mean them harm, bring them: what is sound is recognised, the rest refused in words.
#![cfg(feature = "embedded")]

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::PathBuf,
};

use safetensors::SafeTensors;
use steadymask_models::{Error, Result, Weights};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const EMBEDDED: &[u8] = include_bytes!("../weights/deeplabv3_mobilenet_v2-voc21.f16.safetensors");

/// A file of that name for as long as this lives.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let path = std::env::temp_dir().join(format!("steadymask-foreign-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).expect("a temporary file");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn open(name: &str, bytes: &[u8]) -> Result<Weights> {
    Weights::open(&TempFile::new(name, bytes).0)
}

// Pickles, as Python writes them.

fn int(value: i64) -> Vec<u8> {
    match i32::try_from(value) {
        Ok(value) => [b"J".as_slice(), &value.to_le_bytes()].concat(),
        Err(_) => [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat(),
    }
}

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"(".as_slice(), &parts.concat(), b"t"].concat()
}

/// A call of what lies below the arguments.
fn call(module: &str, name: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    [global(module, name), tuple(arguments), b"R".to_vec()].concat()
}

/// A view of a storage of `count` numbers.
struct View<'a> {
    kind: &'a str,
    key: &'a str,
    count: i64,
    offset: i64,
    shape: &'a [i64],
    strides: &'a [i64],
}

fn tensor(view: &View<'_>) -> Vec<u8> {
    let &View { kind, key, count, offset, shape, strides } = view;
    let storage = tuple(&[text("storage"), global("torch", kind), text(key), text("cpu"), int(count)]);
    let numbers = |numbers: &[i64]| tuple(&numbers.iter().map(|&n| int(n)).collect::<Vec<_>>());
    let hooks = call("collections", "OrderedDict", &[]);
    let storage = [storage, b"Q".to_vec()].concat();
    let arguments = [storage, int(offset), numbers(shape), numbers(strides), b"\x89".to_vec(), hooks];
    call("torch._utils", "_rebuild_tensor_v2", &arguments)
}

/// A view of a whole storage.
fn plain(key: &str, shape: &[usize]) -> Vec<u8> {
    let shape: Vec<i64> = shape.iter().map(|&side| side as i64).collect();
    let strides: Vec<i64> = (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect();
    tensor(&View {
        kind: "FloatStorage",
        key,
        count: shape.iter().product(),
        offset: 0,
        shape: &shape,
        strides: &strides,
    })
}

fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<_> = items.iter().map(|(name, value)| [text(name), value.clone()].concat()).collect();
    [b"}(".as_slice(), &items.concat(), b"u"].concat()
}

fn pickle(value: &[u8]) -> Vec<u8> {
    [b"\x80\x02".as_slice(), value, b"."].concat()
}

/// A zip archive of files without compression.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        writer.start_file(*name, options).expect("memory");
        writer.write_all(bytes).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

/// What `torch.save` writes: a pickle, and storages by key.
fn checkpoint(value: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let pickle = pickle(value);
    let named: Vec<(String, &[u8])> = storages.iter().map(|(key, b)| (format!("archive/data/{key}"), *b)).collect();
    let mut files: Vec<(&str, &[u8])> =
        vec![("archive/data.pkl", &pickle), ("archive/byteorder", b"little"), ("archive/version", b"3\n")];
    files.extend(named.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
    archive(&files)
}

/// The tensors of the default network in 32 bits.
fn embedded() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let file = SafeTensors::deserialize(EMBEDDED).expect("sound weights");
    let widen = |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect();
    file.iter().map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), widen(view.data())))).collect()
}

/// These tensors as a `.pth` file, inside `wrap`.
fn saved(tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>, wrap: impl Fn(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let keys: Vec<String> = (0..tensors.len()).map(|i| i.to_string()).collect();
    let bytes: Vec<Vec<u8>> =
        tensors.values().map(|(_, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let items: Vec<(&str, Vec<u8>)> =
        tensors.iter().zip(&keys).map(|((name, (shape, _)), key)| (name.as_str(), plain(key, shape))).collect();
    let storages: Vec<(&str, &[u8])> = keys.iter().zip(&bytes).map(|(key, b)| (key.as_str(), b.as_slice())).collect();
    checkpoint(&wrap(dict(&items)), &storages)
}

#[test]
fn checkpoints_are_recognised_however_they_are_wrapped() {
    let tensors = embedded();
    let parallel = tensors.iter().map(|(name, tensor)| (format!("module.{name}"), tensor.clone())).collect();
    let step = || tensor(&View { kind: "FloatStorage", key: "0", count: 1, offset: 0, shape: &[1], strides: &[1] });
    let cases = [
        (saved(&tensors, |d| d), "", 0),
        (saved(&parallel, |d| d), "module.", 0),
        (saved(&tensors, |d| dict(&[("state_dict", d), ("epoch", int(7))])), "state_dict.", 0),
        (saved(&parallel, |d| dict(&[("model", d), ("optimizer", dict(&[("step", step())]))])), "model.module.", 1),
        (EMBEDDED.to_vec(), "", 0),
    ];
    let mut files = Vec::new();
    for (index, (bytes, prefix, left_out)) in cases.iter().enumerate() {
        let weights = open(&format!("sound-{index}"), bytes).unwrap_or_else(|e| panic!("{prefix:?}: {e}"));
        let contents = weights.contents();
        assert_eq!((contents.architecture, contents.parameters), ("deeplabv3_mobilenet_v2", 2_097_013));
        assert_eq!(
            (contents.prefix.as_str(), contents.left_out, contents.tensors),
            (*prefix, *left_out, tensors.len())
        );
        assert_eq!(contents.classes.len(), 21);
        assert!(!contents.auxiliary);
        files.push(weights.to_safetensors().expect("it was read"));
    }
    assert!(files.iter().all(|file| file == &files[0]), "what is kept does not depend on the wrapping");
    let again = open("again", &files[0]).expect("what is kept can be read");
    assert_eq!(again.to_safetensors().expect("it was read"), files[0]);
}

/// Weights of LRASPP that are all `value`, but for the tensors whose name ends so.
fn lraspp(value: f32, ending: &str, other: f32) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/lraspp_mobilenet_v3_large-tensors.json");
    let list: Vec<(String, Vec<usize>, String)> =
        serde_json::from_slice(&std::fs::read(path).expect("the fixture is there")).expect("a list of tensors");
    let floats = list.into_iter().filter(|(.., kind)| kind != "int64");
    let filled = |(name, shape, _): (String, Vec<usize>, String)| {
        let fill = if name.ends_with(ending) { other } else { value };
        let count = shape.iter().product();
        (name, (shape, vec![fill; count]))
    };
    floats.map(filled).collect()
}

/// A safetensors file with this header and so many zero bytes.
fn safetensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// Names that a pickle must not ask for, with the way in which it does.
fn forbidden() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let short = |text: &str| [b"\x8c".as_slice(), &[text.len() as u8], text.as_bytes()].concat();
    let weights = || plain("0", &[1]);
    let beside = |value: Vec<u8>| {
        let bytes = 1f32.to_le_bytes();
        checkpoint(&dict(&[("weight", weights()), ("other", value)]), &[("0", &bytes)])
    };
    let stacked = |parts: &[Vec<u8>]| [b"\x80\x04".as_slice(), &parts.concat(), b"\x93(tR."].concat();
    let legacy = |value: &[u8]| {
        let magic = pickle(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19");
        let system = pickle(&dict(&[("little_endian", b"\x88".to_vec())]));
        [magic, pickle(&int(1001)), system, pickle(value), pickle(b"]")].concat()
    };
    let second = {
        let bytes = 1f32.to_le_bytes();
        let (first, other) = (pickle(&dict(&[("weight", weights())])), pickle(&call("os", "system", &[text("id")])));
        archive(&[("a/data.pkl", &first), ("a/extra.pkl", &other), ("a/data/0", &bytes), ("a/version", b"3\n")])
    };
    vec![
        ("a script", b"cos\nsystem\n(S'id'\ntR.".to_vec(), "os.system"),
        ("a script beside weights", beside(call("posix", "system", &[text("id")])), "posix.system"),
        ("eval", beside(call("builtins", "eval", &[text("1")])), "builtins.eval"),
        ("Python 2's eval", beside(call("__builtin__", "eval", &[text("1")])), "__builtin__.eval"),
        ("getattr", beside(call("builtins", "getattr", &[text("a"), text("b")])), "builtins.getattr"),
        ("a name from the stack", stacked(&[short("builtins"), short("exec")]), "builtins.exec"),
        (
            "a remembered name",
            stacked(&[short("os"), b"\x94".into(), short("system"), b"\x94h\x00h\x01".into()]),
            "os.system",
        ),
        (
            "a name under another",
            stacked(&[short("os"), short("system"), short("torch"), short("Size"), b"00".into()]),
            "a name that it computes",
        ),
        ("a name from nowhere", stacked(&[int(1), int(2)]), "a name that it computes"),
        ("an instance", b"(S'id'\nios\nsystem\n.".to_vec(), "os.system"),
        ("an object", [b"(".as_slice(), &global("subprocess", "Popen"), b"o."].concat(), "subprocess.Popen"),
        ("an extension", b"\x80\x02\x82\x01.".to_vec(), "extension registry"),
        ("a download", beside(call("torch.hub", "load", &[])), "torch.hub.load"),
        (
            "a pickle in a pickle",
            beside(call("torch.storage", "_load_from_bytes", &[])),
            "torch.storage._load_from_bytes",
        ),
        (
            "a neighbour of the tensors' names",
            beside(call("torch._utils", "_rebuild_all", &[])),
            "torch._utils._rebuild_all",
        ),
        ("a number of NumPy's", beside(call("numpy._core.multiarray", "scalar", &[])), "numpy._core.multiarray.scalar"),
        ("a training script's arguments", beside(global("argparse", "Namespace")), "argparse.Namespace"),
        (
            "a whole model",
            checkpoint(&global("torchvision.models.segmentation.deeplabv3", "DeepLabV3"), &[]),
            "torchvision.models.segmentation.deeplabv3.DeepLabV3",
        ),
        ("an old file", legacy(&call("os", "system", &[text("id")])), "os.system"),
        ("a second pickle", second, "os.system"),
    ]
}

#[test]
fn pickles_that_ask_for_more_than_tensors_are_refused_by_name() {
    let cases = forbidden();
    assert_eq!(cases.len(), 20);
    for (name, bytes, asked) in cases {
        match open(name, &bytes).err() {
            Some(Error::ForbiddenPickle { name: found }) => assert!(found.contains(asked), "{name}: {found}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}

/// Files that are damaged, huge, of something else, or lie, and a part of what is said of them.
fn unsound() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let four = [0u8; 16];
    let view = |kind, count, offset, shape, strides| View { kind, key: "0", count, offset, shape, strides };
    let one = |view: &View<'_>| checkpoint(&dict(&[("weight", tensor(view))]), &[("0", &four)]);
    let whole = saved(&embedded(), |d| d);
    let sound_pickle = pickle(&dict(&[("weight", plain("0", &[4]))]));
    let missing = {
        let mut tensors = embedded();
        tensors.remove("classifier.predict.bias");
        saved(&tensors, |d| d)
    };
    let surplus = {
        let mut tensors = embedded();
        tensors.insert("classifier.again.bias".into(), (vec![1], vec![0.0]));
        saved(&tensors, |d| d)
    };
    let turned = {
        let mut tensors = embedded();
        tensors.get_mut("classifier.pool.weight").expect("it is there").0.swap(0, 1);
        saved(&tensors, |d| d)
    };
    let one_class = {
        let mut tensors = embedded();
        for (name, shape) in [("classifier.predict.weight", vec![1, 256, 1, 1]), ("classifier.predict.bias", vec![1])] {
            let count = shape.iter().product();
            tensors.insert(name.into(), (shape, vec![0.0; count]));
        }
        saved(&tensors, |d| d)
    };
    // A thousand views of 4 MiB.
    let big = vec![0u8; 4 << 20];
    let names: Vec<String> = (0..1000).map(|i| format!("w{i}")).collect();
    let views: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), plain("0", &[1 << 20]))).collect();
    let views = checkpoint(&dict(&views), &[("0", &big)]);
    let bomb = {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        writer.start_file("archive/data.pkl", options).expect("memory");
        let zeros = vec![b'('; 1 << 20];
        (0..101).for_each(|_| writer.write_all(&zeros).expect("memory"));
        writer.finish().expect("memory").into_inner()
    };
    let doubling = {
        // A list that holds the list before it twice, forty times over.
        let mut value = b"]q\x00".to_vec();
        for i in 0..40u8 {
            value.extend([b']', b'(', b'h', i, b'h', i, b'e', b'q', i + 1]);
        }
        checkpoint(&value, &[])
    };
    let resnet18 =
        checkpoint(&dict(&[("conv1.weight", plain("0", &[4])), ("fc.bias", plain("0", &[4]))]), &[("0", &four)]);
    vec![
        ("nothing", Vec::new(), "empty"),
        ("a byte", vec![b'P'], "the end of a line is missing"),
        ("a page", b"<!doctype html><title>404 Not Found</title>".to_vec(), "neither a zip archive nor a pickle"),
        ("zeros", vec![0; 4096], "neither a zip archive nor a pickle"),
        ("ones", vec![255; 4096], "neither a zip archive nor a pickle"),
        ("a picture", b"\x89PNG\r\n\x1a\n0000".to_vec(), ""),
        (
            "a compressed file",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec(),
            "neither a zip archive nor a pickle",
        ),
        ("an archive of something else", archive(&[("readme.txt", b"hello")]), "no data.pkl"),
        (
            "a program of TorchScript",
            archive(&[("m/constants.pkl", b"\x80\x02)."), ("m/code/a.py", b"")]),
            "TorchScript",
        ),
        ("half an archive", whole[..whole.len() / 2].to_vec(), "not a whole zip archive"),
        ("an archive less a byte", whole[..whole.len() - 1].to_vec(), "not a whole zip archive"),
        ("an archive's first bytes", whole[..100].to_vec(), "not a whole zip archive"),
        ("half a pickle", archive(&[("a/data.pkl", &sound_pickle[..40])]), "the end of a line is missing"),
        (
            "a pickle without its end",
            archive(&[("a/data.pkl", &sound_pickle[..sound_pickle.len() - 1])]),
            "ends too early",
        ),
        ("a text that claims 2⁶³ bytes", b"\x80\x04\x8d\0\0\0\0\0\0\0\x80.".to_vec(), "ends too early"),
        ("bytes that claim 4 GiB", b"\x80\x03B\xff\xff\xff\xff.".to_vec(), "ends too early"),
        ("a line without end", b"cos".to_vec(), "end of a line"),
        ("a storage that is not there", archive(&[("a/data.pkl", &sound_pickle), ("a/version", b"3\n")]), "data/0"),
        ("a storage that is too short", one(&view("FloatStorage", 1000, 0, &[1000], &[1])), ""),
        ("a view beyond its storage", one(&view("FloatStorage", 4, 2, &[4], &[1])), ""),
        ("a view from before it", one(&view("FloatStorage", 4, -1, &[4], &[1])), ""),
        ("strides that go back", one(&view("FloatStorage", 4, 0, &[4], &[-1])), ""),
        ("a shape below zero", one(&view("FloatStorage", 4, 0, &[-4], &[1])), ""),
        ("a terabyte of one number", one(&view("FloatStorage", 4, 0, &[1 << 38], &[0])), ""),
        ("a shape past all counting", one(&view("FloatStorage", 4, 0, &[1 << 40, 1 << 40], &[0, 0])), ""),
        ("a thousand views", views, "would take 4194304000 bytes"),
        ("a storage of truths", one(&view("BoolStorage", 16, 0, &[16], &[1])), "is of type"),
        ("a storage of bytes", one(&view("ByteStorage", 16, 0, &[16], &[1])), "is of type"),
        (
            "big-endian",
            archive(&[("a/data.pkl", &sound_pickle), ("a/byteorder", b"big"), ("a/data/0", &four)]),
            "ndian",
        ),
        ("a pickle of 101 MiB in 100 kB", bomb, "is longer than"),
        ("lists in lists", checkpoint(&[b"]".repeat(100_000), b"a".repeat(99_999)].concat(), &[]), ""),
        ("a list of lists of lists", doubling, ""),
        ("a number alone", checkpoint(&int(7), &[]), ""),
        ("an empty dictionary", checkpoint(&dict(&[]), &[]), "none at all"),
        ("another network", resnet18, "no known network has these tensors: conv1.weight, fc.bias"),
        ("weights less a tensor", missing, "lack the tensor classifier.predict.bias"),
        (
            "weights and more",
            surplus,
            "1 tensors have no place in deeplabv3_mobilenet_v2, the first is classifier.again.bias",
        ),
        ("weights the wrong way round", turned, "has the shape [320, 256, 1, 1]"),
        ("a network of one class", one_class, "does not tell two classes"),
        ("weights that are no numbers", saved(&lraspp(1.0, "0.0.weight", f32::NAN), |d| d), "infinite or not numbers"),
        ("weights without end", saved(&lraspp(1.0, "scale.1.weight", f32::INFINITY), |d| d), "infinite or not numbers"),
        ("a variance below zero", saved(&lraspp(1.0, "running_var", -1.0), |d| d), "variance -1"),
        ("a header that claims 2⁶³ bytes", [b"\0\0\0\0\0\0\0\x80{}".as_slice(), &[0; 64]].concat(), "safetensors"),
        (
            "a header past the end",
            safetensors(r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#, 8),
            "safetensors",
        ),
        ("a header that is no JSON", safetensors("{a}", 8), "safetensors"),
        (
            "tensors over each other",
            safetensors(
                r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
                12,
            ),
            "safetensors",
        ),
        (
            "a tensor of a kind unknown",
            safetensors(r#"{"a":{"dtype":"F7","shape":[2],"data_offsets":[0,8]}}"#, 8),
            "safetensors",
        ),
        (
            "a tensor larger than its bytes",
            safetensors(r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}"#, 8),
            "safetensors",
        ),
        ("half the weights", EMBEDDED[..EMBEDDED.len() / 2].to_vec(), "safetensors"),
        ("the weights and a byte", [EMBEDDED, b"\0"].concat(), "safetensors"),
    ]
}

#[test]
fn unsound_files_are_refused_in_words() {
    let cases = unsound();
    assert_eq!(cases.len(), 50);
    let mut wrong = Vec::new();
    for (name, bytes, words) in cases {
        let start = std::time::Instant::now();
        let told = open(name, &bytes).map_or_else(|e| e.to_string(), |_| "taken".to_owned());
        println!("{name}: {told} ({:.2?})", start.elapsed());
        if told == "taken" || !told.contains(words) || told.len() > 400 || start.elapsed().as_secs() > 30 {
            wrong.push(format!("{name}: {words:?} is expected, but: {told}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_no_file_or_too_large_is_refused() {
    let folder = Weights::open(&std::env::temp_dir()).err().expect("a folder").to_string();
    assert!(folder.contains("it is no file"), "{folder}");
    let nowhere = Weights::open(&std::env::temp_dir().join("steadymask-nowhere.pth")).err().expect("it is not there");
    assert!(matches!(nowhere, Error::Weights { .. }), "{nowhere}");
    // A file of 2 TiB that takes no room on the disk.
    let file = TempFile::new("sparse", b"PK\x03\x04");
    std::fs::File::options().write(true).open(&file.0).and_then(|f| f.set_len(2 << 40)).expect("a sparse file");
    let large = Weights::open(&file.0).err().expect("it is too large").to_string();
    assert!(large.contains("it has 2199023255552 bytes (expected at most 2147483648)"), "{large}");
}
