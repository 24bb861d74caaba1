use crate::{Plane, flow::Flow};

/// Motion between two neighbouring frames, both ways, and how far it can be trusted.
#[derive(Debug, Clone)]
pub struct Motion {
    /// Where each pixel of the earlier frame lies in the later.
    pub forward: Flow,
    /// Trust in `forward`, 0 to 1, at the pixels of the earlier frame.
    pub forward_trust: Plane<f32>,
    /// Where each pixel of the later frame lies in the earlier.
    pub backward: Flow,
    /// Trust in `backward`, 0 to 1, at the pixels of the later frame.
    pub backward_trust: Plane<f32>,
}

impl Motion {
    /// No motion, fully trusted.
    ///
    /// # Panics
    /// When a side is 0 or over [`Plane::MAX_SIDE`].
    pub fn still(width: usize, height: usize) -> Self {
        let (flow, trust) = (Plane::filled(width, height, [0.0; 2]), Plane::filled(width, height, 1.0));
        Self { forward: flow.clone(), forward_trust: trust.clone(), backward: flow, backward_trust: trust }
    }

    /// Mean trust in the way back, 0 to 1.
    pub fn mean_trust(&self) -> f32 {
        let trust = self.backward_trust.data();
        (trust.iter().map(|&t| f64::from(t)).sum::<f64>() / trust.len() as f64) as f32
    }
}
