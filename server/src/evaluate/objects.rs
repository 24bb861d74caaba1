//! The objects of a clip, whose masks are scored apart, and which masks are whose.

use std::collections::HashSet;

use serde::Serialize;
use steadymask_core::{BitMask, Plane, RAW_LEVEL, resize, union_of};

use crate::{
    Error, Result,
    masks::{Class, Masks, file_names},
};

/// Which objects a clip has: those of its truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// One, or several that count as one: everything but the background.
    Whole {
        /// Its name, where it has one.
        class: Option<String>,
    },
    /// Each for itself.
    Apart(Vec<Class>),
}

/// How the objects of masks were found to be those of the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// They are called the same.
    Name,
    /// They have the same number: palette index, id of the category, place.
    Number,
    /// The values of gray masks are their numbers.
    Value,
    /// Neither names nor numbers tell them apart: the first is the first, and so on.
    Order,
}

impl Matching {
    /// What it goes by, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Number => "number",
            Self::Value => "gray value",
            Self::Order => "order: neither names nor numbers tell them apart",
        }
    }
}

/// Which planes of some masks belong to each object.
pub struct Assigned {
    planes: Planes,
    /// How that was found out, where there was something to find out.
    pub matching: Option<Matching>,
}

enum Planes {
    /// All belong to the one object.
    All,
    /// One an object, if any.
    Each(Vec<Option<usize>>),
    /// There is one plane whose values are these numbers of the objects; the name of the masks, for messages.
    Values(Vec<u8>, String),
}

impl Objects {
    /// The objects of the truth, unless they are to be scored as one (`union`).
    pub fn of(truth: &Masks, union: bool) -> Self {
        match truth.classes() {
            _ if union => Self::Whole { class: None },
            [class] => Self::Whole { class: is_word(&class.name).then(|| class.name.clone()) },
            classes => Self::Apart(classes.to_vec()),
        }
    }

    /// What the objects of the clip `name` are called: its own name, or `name_1`, `name_2` … as in DAVIS 2017, by the
    /// names that they have in the truth.
    pub fn names(&self, name: &str) -> Vec<String> {
        match self {
            Self::Whole { .. } => vec![name.into()],
            Self::Apart(classes) => file_names(classes).iter().map(|class| format!("{name}_{class}")).collect(),
        }
    }

    /// The objects' masks in a frame of the truth, given its planes.
    pub fn truth(&self, planes: &[Plane<u8>]) -> Vec<BitMask> {
        let mask = |plane: &Plane<u8>| BitMask::from_threshold(plane, RAW_LEVEL);
        match self {
            Self::Whole { .. } => vec![mask(&union_of(planes))],
            Self::Apart(_) => planes.iter().map(mask).collect(),
        }
    }

    /// Finds out which planes of `masks` are whose.
    ///
    /// # Errors
    /// [`Error::Masks`] where that cannot be told.
    pub fn assign(&self, masks: &Masks) -> Result<Assigned> {
        let theirs = masks.classes();
        let classes = match self {
            Self::Whole { class } => {
                let named = class.as_ref().and_then(|name| theirs.iter().position(|class| class.name == *name));
                return Ok(match named.filter(|_| theirs.len() > 1) {
                    Some(plane) => Assigned { planes: Planes::Each(vec![Some(plane)]), matching: Some(Matching::Name) },
                    None => Assigned { planes: Planes::All, matching: None },
                });
            }
            Self::Apart(classes) => classes,
        };
        if let Some(each) = by(classes, theirs, |class| class.name.clone()) {
            return Ok(Assigned { planes: Planes::Each(each), matching: Some(Matching::Name) });
        }
        let numbers: Vec<u8> = classes.iter().filter_map(|class| u8::try_from(class.id).ok()).collect();
        if theirs == Class::only() && numbers.len() == classes.len() && all_different(&numbers) {
            let planes = Planes::Values(numbers, masks.name().into());
            return Ok(Assigned { planes, matching: Some(Matching::Value) });
        }
        if let Some(each) = by(classes, theirs, |class| class.id) {
            return Ok(Assigned { planes: Planes::Each(each), matching: Some(Matching::Number) });
        }
        let told_apart = |classes: &[Class]| all_different(classes.iter().map(|class| class.id));
        if classes.len() == theirs.len() && !(told_apart(classes) && told_apart(theirs)) {
            let each = (0..theirs.len()).map(Some).collect();
            return Ok(Assigned { planes: Planes::Each(each), matching: Some(Matching::Order) });
        }
        let list = |classes: &[Class]| classes.iter().map(|class| class.name.as_str()).collect::<Vec<_>>().join(", ");
        let detail = format!(
            "its objects are {}; expected those of the truth, by name or number: {}; --union scores all objects as one",
            list(theirs),
            list(classes)
        );
        Err(Error::Masks { name: masks.name().into(), detail })
    }
}

impl Assigned {
    /// The objects' probabilities in a frame, 0–255, given the planes of the masks, scaled to `width`×`height`
    /// (bilinear).
    ///
    /// # Errors
    /// [`Error::Masks`] for a gray value that is no object's number; `frame` is what the frame is called.
    pub fn probabilities(
        &self,
        planes: &[Plane<u8>],
        (width, height): (usize, usize),
        frame: &str,
    ) -> Result<Vec<Plane<u8>>> {
        let scaled = |plane: &Plane<u8>| resize::bilinear(plane, width, height);
        match &self.planes {
            Planes::All => Ok(vec![scaled(&union_of(planes))]),
            Planes::Each(each) => {
                let nothing = || Plane::filled(width, height, 0);
                Ok(each.iter().map(|plane| plane.map_or_else(nothing, |plane| scaled(&planes[plane]))).collect())
            }
            Planes::Values(numbers, name) => {
                let known = |value: &&u8| **value == 0 || numbers.contains(value);
                if let Some(value) = planes[0].data().iter().find(|value| !known(value)) {
                    let detail = format!(
                        "frame {frame} is gray with a value of {value}, but the truth has the objects {numbers:?}, \
                         which need masks that tell them apart or these very values; --union scores all objects as one"
                    );
                    return Err(Error::Masks { name: name.clone(), detail });
                }
                let mask = |number: &u8| scaled(&planes[0].map(|value| if value == number { 255 } else { 0 }));
                Ok(numbers.iter().map(mask).collect())
            }
        }
    }
}

/// For each of `classes` the one of `theirs` with the same key; `None` where the keys do not tell them apart, or have
/// nothing in common.
fn by<K: Eq + std::hash::Hash>(
    classes: &[Class],
    theirs: &[Class],
    key: impl Fn(&Class) -> K,
) -> Option<Vec<Option<usize>>> {
    let apart = all_different(classes.iter().map(&key)) && all_different(theirs.iter().map(&key));
    let find = |class: &Class| theirs.iter().position(|other| key(other) == key(class));
    let found: Vec<_> = classes.iter().map(find).collect();
    (apart && found.iter().any(Option::is_some)).then_some(found)
}

fn all_different<K: Eq + std::hash::Hash>(keys: impl IntoIterator<Item = K>) -> bool {
    let mut seen = HashSet::new();
    keys.into_iter().all(|key| seen.insert(key))
}

/// Whether a class has a name that a person gave it: not its number, its colour, or none.
fn is_word(name: &str) -> bool {
    name != Class::only()[0].name && !name.starts_with('#') && name.parse::<u32>().is_err()
}
