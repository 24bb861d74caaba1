//! The colours of classes: those of PASCAL VOC, which DAVIS and YouTube-VOS took over.

use crate::{Plane, Rgb};

/// The colour of every label; label 0, nothing, is black.
///
/// `VOCcolormap` of the VOC development kit: three bits of the label at a time, from the lowest, become one bit each
/// of red, green and blue, from the highest.
pub const PALETTE: [Rgb; 256] = {
    let mut palette = [[0; 3]; 256];
    let mut label = 0;
    while label < 256 {
        let mut bit = 0;
        while bit < 8 {
            palette[label][bit % 3] |= ((label >> bit & 1) as u8) << (7 - bit / 3);
            bit += 1;
        }
        label += 1;
    }
    palette
};

/// The label of a colour of [`PALETTE`]; `None` for any other.
pub fn label_of(color: Rgb) -> Option<u8> {
    // The lowest five bits of red and green, six of blue, are never set in a label's colour.
    let bit = |label: usize| color[label % 3] >> (7 - label / 3) & 1;
    let label = (0..8).fold(0, |label, i| label | bit(i) << i);
    (PALETTE[usize::from(label)] == color).then_some(label)
}

/// A picture of labels in colours: that of label `k` is `colors[k - 1]`; label 0 is black, and so are labels
/// without a colour.
pub fn paint(labels: &Plane<u8>, colors: &[Rgb]) -> Plane<Rgb> {
    let mut table = [[0; 3]; 256];
    for (entry, &color) in table[1..].iter_mut().zip(colors) {
        *entry = color;
    }
    labels.map(|&label| table[usize::from(label)])
}
