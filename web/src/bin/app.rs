//! The page.

use std::rc::Rc;

use steadymask_web::{
    engine::{LocalEngine, capability::Wish},
    view::{App, AppProps, Connect},
};

fn main() {
    console_error_panic_hook::set_once();
    let connect = Connect::new(|events| {
        let query = web_sys::window().and_then(|window| window.location().search().ok()).unwrap_or_default();
        Rc::new(LocalEngine::new(Wish::from_query(&query), move |event| events.emit(event)))
    });
    yew::Renderer::<App>::with_props(AppProps { connect }).render();
}
