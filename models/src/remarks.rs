//! What a segmentation network's file says beside its weights.

use serde::{Deserialize, Serialize};

use crate::{Error, Result, weights::StateDict};

/// In the file's header, as JSON under [`Remarks::KEY`]. What is not there is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Remarks {
    /// The names of the classes, by number; 0 is the background.
    #[serde(default)]
    pub(crate) classes: Option<Vec<String>>,
    /// What each class's logits are divided by before they become probabilities, so that of all pixels with a probability
    /// of 0.9, nine in ten are right.
    #[serde(default)]
    pub(crate) temperatures: Option<Vec<f32>>,
}

impl Remarks {
    /// Where they stand in the header of a safetensors file.
    pub(crate) const KEY: &str = "segmenter";
    /// Least and greatest temperature.
    const TEMPERATURES: (f32, f32) = (0.01, 100.0);

    /// Those of weights with so many classes.
    ///
    /// # Errors
    /// [`Error::Weights`] when the header holds some that cannot be.
    pub(crate) fn of(weights: &StateDict, classes: usize) -> Result<Self> {
        let Some(json) = weights.remark(Self::KEY) else { return Ok(Self::default()) };
        let refuse = |reason: String| Error::Weights { reason: format!("its remarks are wrong: {reason}") };
        let remarks: Self = serde_json::from_str(json).map_err(|e| refuse(e.to_string()))?;
        let named = remarks.classes.as_ref().map_or(classes, Vec::len);
        let tempered = remarks.temperatures.as_ref().map_or(classes, Vec::len);
        if named != classes || tempered != classes {
            return Err(refuse(format!("{named} names and {tempered} temperatures (expected {classes} of each)")));
        }
        let (least, greatest) = Self::TEMPERATURES;
        match remarks.temperatures.iter().flatten().find(|t| !(least..=greatest).contains(*t)) {
            None => Ok(remarks),
            Some(t) => Err(refuse(format!("the temperature {t} (expected {least} to {greatest})"))),
        }
    }

    /// Divides logits `[batch, classes, height, width]` by their class's temperature.
    pub(crate) fn temper(&self, logits: &mut [f32], shape: [usize; 4]) {
        let Some(temperatures) = &self.temperatures else { return };
        let planes = logits.chunks_exact_mut(shape[2] * shape[3]);
        for (plane, temperature) in planes.zip(temperatures.iter().cycle()) {
            plane.iter_mut().for_each(|logit| *logit /= temperature);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(json: &str) -> StateDict {
        let values = 1f32.to_le_bytes();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &values).expect("a tensor");
        let remarks = std::iter::once((Remarks::KEY.to_owned(), json.to_owned())).collect();
        let bytes = safetensors::serialize([("x", view)], Some(remarks)).expect("a file");
        StateDict::from_safetensors(&bytes).expect("just written")
    }

    #[test]
    fn remarks_are_read_and_checked() {
        let remarks = Remarks::of(&weights(r#"{"classes": ["background", "car"]}"#), 2).expect("sound");
        assert_eq!(remarks.classes.as_deref(), Some(&["background".to_owned(), "car".to_owned()][..]));
        assert_eq!(Remarks::of(&weights("{}"), 2), Ok(Remarks::default()));
        for (json, reason) in [
            (r#"{"classes": ["a"]}"#, "1 names and 2 temperatures (expected 2 of each)"),
            (r#"{"temperatures": [1, 2, 3]}"#, "2 names and 3 temperatures (expected 2 of each)"),
            (r#"{"temperatures": [1, 0]}"#, "the temperature 0 (expected 0.01 to 100)"),
            ("nonsense", "expected ident at line 1 column 2"),
        ] {
            let error = Remarks::of(&weights(json), 2).expect_err(json);
            assert!(error.to_string().ends_with(reason), "{error}");
        }
    }

    #[test]
    fn each_class_has_its_temperature() {
        let remarks = Remarks { classes: None, temperatures: Some(vec![2.0, 4.0]) };
        let mut logits: Vec<f32> = vec![4.0; 8];
        remarks.temper(&mut logits, [2, 2, 1, 2]);
        assert_eq!(logits, [2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0]);
        Remarks::default().temper(&mut logits, [2, 2, 1, 2]);
        assert_eq!(logits, [2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0]);
    }
}
