//! Stepping through frames by keyboard, wherever on the page no control has use for the key.

use gloo_events::{EventListener, EventListenerOptions};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent, window};
use yew::Callback;

/// Where a key leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// To the first frame.
    First,
    /// One frame back.
    Previous,
    /// One frame on.
    Next,
    /// To the last frame.
    Last,
    /// Play, or pause.
    Play,
}

/// Emits the keys pressed until the listener is dropped. They do nothing else then, such as scroll the page.
pub fn listen(on_key: Callback<Key>) -> Option<EventListener> {
    let (window, options) = (window()?, EventListenerOptions::enable_prevent_default());
    Some(EventListener::new_with_options(&window, "keydown", options, move |event| {
        if let Some(key) = event.dyn_ref().and_then(key_of) {
            event.prevent_default();
            on_key.emit(key);
        }
    }))
}

fn key_of(event: &KeyboardEvent) -> Option<Key> {
    if event.ctrl_key() || event.alt_key() || event.meta_key() || event.shift_key() || event.default_prevented() {
        return None;
    }
    let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let within =
        |selector| target.as_ref().is_some_and(|target| target.closest(selector).is_ok_and(|found| found.is_some()));
    if within("input, select, textarea") {
        return None;
    }
    match event.key().as_str() {
        "ArrowLeft" => Some(Key::Previous),
        "ArrowRight" => Some(Key::Next),
        "Home" => Some(Key::First),
        "End" => Some(Key::Last),
        " " if !within("button, summary, a") => Some(Key::Play),
        _ => None,
    }
}
