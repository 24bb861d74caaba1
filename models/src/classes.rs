//! Names of classes: those of the published networks, and which of them mean the same.

/// The classes of PASCAL VOC, in the order in which the published networks number them.
pub const VOC_CLASSES: [&str; 21] = [
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
];

/// A number that a network has and no class: torchvision's networks for COCO number 80 classes and the background up to 90.
pub const NO_CLASS: &str = "N/A";

/// The classes of COCO, in the order in which torchvision's networks number them.
#[rustfmt::skip]
pub const COCO_CLASSES: [&str; 91] = [
    "background", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", NO_CLASS, "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse",
    "sheep", "cow", "elephant", "bear", "zebra", "giraffe", NO_CLASS, "backpack", "umbrella", NO_CLASS,
    NO_CLASS, "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat",
    "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", NO_CLASS, "wine glass", "cup", "fork", "knife",
    "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza",
    "donut", "cake", "chair", "couch", "potted plant", "bed", NO_CLASS, "dining table", NO_CLASS, NO_CLASS,
    "toilet", NO_CLASS, "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven",
    "toaster", "sink", "refrigerator", NO_CLASS, "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
];

/// What VOC and COCO call by different names. Nothing else is one thing: a truck is no car.
const SYNONYMS: [(&str, &str); 6] = [
    ("aeroplane", "airplane"),
    ("diningtable", "dining table"),
    ("motorbike", "motorcycle"),
    ("pottedplant", "potted plant"),
    ("sofa", "couch"),
    ("tvmonitor", "tv"),
];

/// The classes that can be asked for, with their numbers: all that have a name.
pub fn offered(classes: &[String]) -> impl Iterator<Item = (usize, &String)> {
    classes.iter().enumerate().filter(|(_, class)| *class != NO_CLASS)
}

/// The number of the class of that name, or, where there is none, of the one that means the same: `motorbike` finds
/// `motorcycle`, and the other way round.
pub fn find(classes: &[String], name: &str) -> Option<usize> {
    let position = |name: &str| offered(classes).find(|(_, class)| *class == name).map(|(id, _)| id);
    let other = SYNONYMS.iter().find_map(|&(voc, coco)| match name {
        _ if name == voc => Some(coco),
        _ if name == coco => Some(voc),
        _ => None,
    });
    position(name).or_else(|| position(other?))
}

/// The names by which classes may be asked for besides their own, each with that class's own name.
pub fn other_names(classes: &[String]) -> impl Iterator<Item = (&'static str, &String)> {
    let names = SYNONYMS.into_iter().flat_map(|(voc, coco)| [voc, coco]);
    names.filter_map(|name| Some((name, &classes[find(classes, name)?]))).filter(|(name, class)| name != class)
}

/// The names of `count` classes: VOC's or COCO's where there are as many.
pub(crate) fn named(count: usize) -> Vec<String> {
    match count {
        _ if count == VOC_CLASSES.len() => VOC_CLASSES.map(String::from).to_vec(),
        _ if count == COCO_CLASSES.len() => COCO_CLASSES.map(String::from).to_vec(),
        _ => std::iter::once("background".to_owned()).chain((1..count).map(|id| format!("class{id}"))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_under_either_name() {
        let (voc, coco) = (named(21), named(91));
        for (voc_name, coco_name) in SYNONYMS {
            let (of_voc, of_coco) = (find(&voc, voc_name), find(&coco, coco_name));
            assert!(of_voc.is_some() && of_coco.is_some(), "{voc_name}");
            assert_eq!((find(&voc, coco_name), find(&coco, voc_name)), (of_voc, of_coco));
        }
        // All of VOC's classes are among COCO's, under one name or the other.
        assert!(voc.iter().all(|name| find(&coco, name).is_some()));
        assert_eq!((find(&coco, "truck"), find(&coco, "car")), (Some(8), Some(3)));
        assert_eq!((find(&voc, "truck"), find(&voc, "car")), (None, Some(7)));
        assert_eq!(other_names(&voc).map(|(name, class)| (class.as_str(), name)).collect::<Vec<_>>(), SYNONYMS);
        assert_eq!(other_names(&coco).map(|(name, class)| (name, class.as_str())).collect::<Vec<_>>(), SYNONYMS);
        assert_eq!(other_names(&named(3)).count(), 0);
    }

    #[test]
    fn what_is_no_class_is_not_offered() {
        let coco = named(91);
        assert_eq!(coco.iter().filter(|name| *name == NO_CLASS).count(), 10);
        assert_eq!(offered(&coco).count(), 81);
        assert_eq!(offered(&coco).last(), Some((90, &"toothbrush".to_owned())));
        assert_eq!(find(&coco, NO_CLASS), None);
        assert_eq!(named(3), ["background", "class1", "class2"]);
    }
}
