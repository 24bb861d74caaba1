//! Parts that a page is put together from. They know nothing of clips and networks: values in, callbacks out.

mod choice;
mod compare;
mod drop_zone;
pub mod format;
mod icon;
mod plot;
mod progress;
mod scatter;

pub use choice::Choice;
pub use compare::Compare;
pub use drop_zone::{DropZone, FileButton, dropped_file};
pub use icon::{Icon, IconName};
pub use plot::{Lines, Plot};
pub use progress::{Progress, milestone};
pub use scatter::{Axis, Dot, Scatter};
