//! The networks there are, and where their weights come from: `manifest.toml`, or a file of a person's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A list of networks.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    networks: Vec<Entry>,
}

/// A network of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its name, of letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The name of its architecture.
    pub architecture: String,
    /// Where its weights are; `None` for the network that is built in.
    pub url: Option<String>,
    /// The SHA-256 of the file at `url`, or as many of its first digits, 8 at least, as its publisher tells; in
    /// lower-case hexadecimal.
    pub sha256: String,
    /// How long that file is, in bytes, and by how many that may be off where its publisher rounds it.
    pub size: (u64, u64),
    /// Under what terms it may be used.
    pub licence: String,
    /// The classes it tells apart, by number; 0 is the background.
    pub classes: Vec<String>,
    /// What it is shown.
    pub input: Input,
    /// How well it does, as was published.
    pub score: Option<Score>,
}

/// What a network is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Length of the pictures' short side, in pixels.
    pub short_side: u32,
    /// Mean of red, green, blue in the range 0 to 1, taken off.
    pub mean: [f32; 3],
    /// Deviation of red, green, blue, divided by.
    pub deviation: [f32; 3],
}

/// How well a network does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// What was measured, such as `mIoU`.
    pub metric: String,
    /// The value, of 100.
    pub value: f32,
    /// On which pictures.
    pub on: String,
    /// Who says so.
    pub by: String,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    classes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    network: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    architecture: String,
    url: Option<String>,
    sha256: String,
    /// In bytes.
    size: Option<u64>,
    /// In units of 2²⁰ bytes, rounded to three digits after the point.
    size_mib: Option<f64>,
    licence: String,
    /// Name of a list of `File::classes`.
    classes: String,
    input: Input,
    score: Option<Score>,
}

impl Manifest {
    /// The list that the program carries.
    ///
    /// # Panics
    /// Never: a test reads it.
    pub fn ours() -> Self {
        Self::parse(include_str!("../manifest.toml")).expect("a test reads it")
    }

    /// Reads a list from TOML.
    ///
    /// # Errors
    /// [`Error::Manifest`], which says where and what.
    pub fn parse(text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|e| Error::Manifest { reason: e.to_string() })?;
        let networks: Vec<Entry> =
            file.network.into_iter().map(|written| entry(written, &file.classes)).collect::<Result<_>>()?;
        for (index, entry) in networks.iter().enumerate() {
            if networks[..index].iter().any(|other| other.name == entry.name) {
                return Err(Error::Manifest { reason: format!("the name {} is given twice", entry.name) });
            }
        }
        Ok(Self { networks })
    }

    /// Whether a network may be called so, as its name becomes that of a file: up to 100 letters, digits, `-`, `_` and
    /// `.`, the first no `.`.
    pub fn is_name(name: &str) -> bool {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(sound)
    }

    /// Every network, in the order of the file.
    pub fn networks(&self) -> &[Entry] {
        &self.networks
    }

    /// The network of that name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.networks.iter().find(|entry| entry.name == name)
    }

    /// The network whose file has this SHA-256.
    pub fn by_hash(&self, sha256: &str) -> Option<&Entry> {
        self.networks.iter().find(|entry| entry.url.is_some() && entry.has_hash(sha256))
    }
}

impl Entry {
    /// Whether `sha256`, all 64 digits of it, is the file's, as far as that is known.
    pub fn has_hash(&self, sha256: &str) -> bool {
        sha256.len() == 64 && sha256.starts_with(&self.sha256)
    }
}

fn entry(written: Written, classes: &BTreeMap<String, Vec<String>>) -> Result<Entry> {
    let Written { name, architecture, url, sha256, size, size_mib, licence, classes: list, input, score } = written;
    let refuse = |what: String| Err(Error::Manifest { reason: format!("{what}, in the network {name:?}") });
    if !Manifest::is_name(&name) {
        return refuse("a name is of up to 100 letters, digits, '-', '_' and '.', and does not begin with '.'".into());
    }
    if !(8..=64).contains(&sha256.len()) || !sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return refuse(format!("sha256 is {sha256:?} (expected 8 to 64 digits of 0-9, a-f)"));
    }
    if let Some(url) = &url
        && !(url.starts_with("https://") || url.starts_with("http://"))
    {
        return refuse(format!("url is {url:?} (expected one that begins with https:// or http://)"));
    }
    const MIB: f64 = 1_048_576.0;
    let size = match (size, size_mib) {
        (Some(bytes), None) => (bytes, 0),
        // Half a unit of the last digit.
        (None, Some(mib)) if (0.0..=10_000.0).contains(&mib) => ((mib * MIB) as u64, (0.0005 * MIB) as u64 + 1),
        _ => return refuse("the size is given once (expected size, in bytes, or size_mib, 0 to 10000)".into()),
    };
    let Some(classes) = classes.get(&list).cloned() else {
        return refuse(format!("there is no list of classes {list:?}"));
    };
    Ok(Entry { name, architecture, url, sha256, size, licence, classes, input, score })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::{COCO_CLASSES, VOC_CLASSES};

    #[test]
    fn our_list_is_sound() {
        let ours = Manifest::ours();
        assert_eq!(ours.networks().len(), 6);
        for entry in ours.networks() {
            assert!(crate::net::is_known(&entry.architecture), "{}", entry.name);
            let coco = entry.name.ends_with("coco91");
            let classes = if coco { &COCO_CLASSES[..] } else { &VOC_CLASSES };
            assert_eq!(entry.classes, classes);
            // torchvision puts the first digits of the hash into the file's name.
            if let Some(url) = &entry.url {
                assert!(url.ends_with(&format!("-{}.pth", entry.sha256)), "{url}");
            }
        }
        let reference = ours.get("deeplabv3_resnet101-voc21").expect("it is listed");
        assert!(reference.has_hash(&format!("586e9e4e{}", "0".repeat(56))));
        assert!(!reference.has_hash("586e9e4e") && !reference.has_hash(&"0".repeat(64)));
        assert_eq!(reference.size, (244_545_748, 525));
    }

    #[cfg(feature = "embedded")]
    #[test]
    fn the_built_in_network_is_listed_as_it_is() {
        let ours = Manifest::ours();
        let entry = ours.get(crate::EMBEDDED).expect("it is listed");
        assert_eq!(entry.size, (crate::weights::embedded::SAFETENSORS.len() as u64, 0));
        assert_eq!(entry.url, None);
    }

    #[test]
    fn faults_are_told() {
        let sound = r#"
            [classes]
            two = ["background", "thing"]
            [[network]]
            name = "mine"
            architecture = "deeplabv3_resnet50"
            url = "https://example.org/mine.safetensors"
            sha256 = "0123456789abcdef"
            size = 7
            licence = "mine"
            classes = "two"
            input = { short_side = 520, mean = [0.5, 0.5, 0.5], deviation = [0.5, 0.5, 0.5] }
        "#;
        assert!(Manifest::parse(sound).is_ok());
        for (from, to, words) in [
            ("\"mine\"\n", "\"../mine\"\n", "begin with '.'"),
            ("\"mine\"\n", "\"a/b\"\n", "letters, digits"),
            ("0123456789abcdef", "0123", "8 to 64 digits"),
            ("0123456789abcdef", "0123456789ABCDEF", "8 to 64 digits"),
            ("https://", "file://", "https:// or http://"),
            ("size = 7", "size = -7", "invalid value"),
            ("size = 7", "size = 7\nsize_mib = 1.0", "given once"),
            ("size = 7", "size_mib = nan", "0 to 10000"),
            ("classes = \"two\"", "classes = \"three\"", "no list of classes"),
            ("licence = \"mine\"", "", "licence"),
            ("licence = \"mine\"", "licence = \"mine\"\ncolour = 1", "colour"),
            ("[classes]", "[classes", "TOML"),
        ] {
            let error = Manifest::parse(&sound.replacen(from, to, 1)).expect_err(to);
            assert!(error.to_string().contains(words), "{to}: {error}");
        }
        let twice = format!("{sound}{}", &sound[sound.find("[[network]]").expect("it is there")..]);
        assert!(Manifest::parse(&twice).expect_err("twice").to_string().contains("mine is given twice"));
    }
}
