//! The page: one view that changes with what it holds, from the empty drop zone to the result.

mod app;
mod facts;
pub mod form;
mod header;
mod keys;
mod network;
mod paint;
mod platform;
mod problem;
mod results;
mod series;
mod settings;
mod stability;
mod trade_off;
mod viewer;
mod welcome;

pub use app::{App, AppProps, Connect};

use yew::prelude::*;

use crate::i18n::{Language, Texts};

/// The language that the views around this hook are shown in, and its words.
#[hook]
fn use_language() -> (Language, &'static Texts) {
    let language = use_context::<Language>().unwrap_or(Language::English);
    (language, language.texts())
}
