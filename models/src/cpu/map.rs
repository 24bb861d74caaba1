//! Feature maps: the numbers between two layers.

/// Numbers that a vector of any width divides.
const BLOCK: usize = 16;
/// Blocks whose addresses differ by a multiple of this land in few places of the first cache.
const ALIAS: usize = 16;

/// Floats from one place of a map with so many channels to the next: whole vectors, and never so many that the same
/// channel of neighbouring places competes for one line of the cache.
pub(super) fn stride(channels: usize) -> usize {
    let blocks = channels.div_ceil(BLOCK);
    BLOCK * if blocks.is_multiple_of(ALIAS) { blocks + 1 } else { blocks }
}

/// Floats of which the first begins a line of the cache, so that no vector lies across two.
#[derive(Debug)]
pub(crate) struct Floats {
    memory: Vec<f32>,
    start: usize,
}

impl Floats {
    /// So many zeros.
    pub(super) fn zeros(len: usize) -> Self {
        /// Bytes of a line.
        const LINE: usize = 64;
        let spare = LINE / size_of::<f32>();
        let memory = vec![0.0; len + spare];
        let start = memory.as_ptr().align_offset(LINE).min(spare);
        Self { memory, start }
    }

    /// A copy of these.
    pub(super) fn of(values: &[f32]) -> Self {
        let mut floats = Self::zeros(values.len());
        floats[..values.len()].copy_from_slice(values);
        floats
    }
}

/// At least as many as were asked for.
impl std::ops::Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.start..]
    }
}

impl std::ops::DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..]
    }
}

/// A feature map, the channels of a place side by side.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) batch: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Floats from place to place; those beyond the channels mean nothing.
    pub(crate) stride: usize,
    /// Row by row, picture by picture.
    pub(crate) data: Floats,
}

impl Map {
    /// How many places it has, in all pictures.
    pub(crate) fn places(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// The channels of a place.
    pub(crate) fn at(&self, place: usize) -> &[f32] {
        &self.data[place * self.stride..][..self.channels]
    }

    /// The places of a picture, with their strides.
    pub(crate) fn picture(&self, index: usize) -> &[f32] {
        let len = self.height * self.width * self.stride;
        &self.data[index * len..(index + 1) * len]
    }

    /// The place at row `y` and column `x` of the picture whose first place is `first`; `None` outside.
    #[inline(always)]
    pub(crate) fn inside(&self, first: usize, y: isize, x: isize) -> Option<usize> {
        // As unsigned numbers those below 0 are very large.
        ((y as usize) < self.height && (x as usize) < self.width).then(|| first + y as usize * self.width + x as usize)
    }
}
