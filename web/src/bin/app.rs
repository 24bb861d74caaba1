//! The page.

use yew::{Html, function_component, html};

#[function_component]
fn App() -> Html {
    html! {}
}

fn main() {
    yew::Renderer::<App>::new().render();
}
