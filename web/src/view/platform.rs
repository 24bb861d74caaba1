//! The few things that the page asks of the browser itself.

use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, HtmlAnchorElement, Response, Url, window};

/// The query of the page's address, with its question mark.
pub fn query() -> String {
    window().and_then(|window| window.location().search().ok()).unwrap_or_default()
}

/// Puts `query` (without question mark) into the address, without loading anything and without a new history entry.
pub fn set_query(query: &str) {
    let Some(window) = window() else { return };
    let path = window.location().pathname().unwrap_or_default();
    let address = if query.is_empty() { path } else { format!("{path}?{query}") };
    // A page opened from a file may not change its address. The settings then live until it is closed.
    _ = window.history().and_then(|history| history.replace_state_with_url(&JsValue::NULL, "", Some(&address)));
}

/// The languages the person prefers, in falling order.
pub fn preferred_languages() -> Vec<String> {
    let languages = window().map(|window| window.navigator().languages()).unwrap_or_default();
    languages.iter().filter_map(|tag| tag.as_string()).collect()
}

/// Tells the browser the page's language and title.
pub fn set_document(language: &str, title: &str) {
    if let Some(document) = window().and_then(|window| window.document()) {
        document.set_title(title);
        if let Some(root) = document.document_element() {
            // The attribute's name is a valid one.
            _ = root.set_attribute("lang", language);
        }
    }
}

/// Seconds since the page was opened.
pub fn now() -> f64 {
    window().and_then(|window| window.performance()).map_or(0.0, |clock| clock.now() / 1000.0)
}

/// Fetches the file `name`, which lies beside the page.
///
/// # Errors
/// Why not, in the browser's words.
pub async fn fetch(name: &str) -> Result<File, String> {
    let words = |error: JsValue| {
        error.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{error:?}"), |error| error.message().into())
    };
    let window = window().ok_or("no window")?;
    let response: Response = JsFuture::from(window.fetch_with_str(name)).await.map_err(words)?.unchecked_into();
    if !response.ok() {
        return Err(format!("{} {}", response.status(), response.status_text()).trim().to_owned());
    }
    let blob = JsFuture::from(response.blob().map_err(words)?).await.map_err(words)?;
    File::new_with_blob_sequence(&Array::of1(&blob), name).map_err(words)
}

/// Saves `blob` under `name`, as a download.
///
/// # Errors
/// Why not, in the browser's words.
pub fn save(blob: &Blob, name: &str) -> Result<(), JsValue> {
    let url = Url::create_object_url_with_blob(blob)?;
    let document = window().and_then(|window| window.document()).ok_or("no document")?;
    let link: HtmlAnchorElement = document.create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The browser reads the file after this returns; a minute is enough for it to begin.
    gloo_timers::callback::Timeout::new(60_000, move || _ = Url::revoke_object_url(&url)).forget();
    Ok(())
}
