use std::sync::Arc;

use super::TemporalFilter;
use crate::{Motion, Plane};

/// Gives every frame back as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unfiltered;

impl TemporalFilter for Unfiltered {
    fn push(&mut self, planes: &[Plane<u8>], _motion: Option<&Arc<Motion>>) -> Option<Vec<Plane<u8>>> {
        Some(planes.to_vec())
    }

    fn finish(&mut self) -> Vec<Vec<Plane<u8>>> {
        Vec::new()
    }
}
