use yew::prelude::*;

use super::use_language;
use crate::ui::DropZone;

/// See [`Welcome`].
#[derive(Properties, PartialEq)]
pub struct WelcomeProps {
    /// What is being opened or fetched, in words; `None` while nothing is.
    pub busy: Option<AttrValue>,
    /// A video was dropped or picked.
    pub on_file: Callback<web_sys::File>,
    /// The sample is wanted.
    pub on_sample: Callback<()>,
    /// What stands below the drop zone.
    pub children: Html,
}

/// The page before a video: the promise, and where to put one.
#[component]
pub fn Welcome(props: &WelcomeProps) -> Html {
    let (_, texts) = use_language();
    let on_sample = props.on_sample.reform(|_: MouseEvent| ());
    html! {
        <section class="welcome">
            <div class="welcome-words">
                <h1>{ texts.headline }</h1>
                <p class="promise">{ texts.promise }</p>
            </div>
            <div class="welcome-zone" aria-busy={props.busy.is_some().to_string()}>
                <DropZone prompt={props.busy.clone().unwrap_or_else(|| texts.drop_here.into())} release={texts.drop_release}
                    choose={texts.choose_video} on_file={props.on_file.clone()}>
                    <span class="or">{ texts.or }</span>
                    <button type="button" class="button" onclick={on_sample} data-testid="try-sample">{ texts.try_sample }</button>
                </DropZone>
                <p class="formats">{ texts.formats }</p>
                { props.children.clone() }
            </div>
            <Figure />
        </section>
    }
}

/// How far the person of the figure has walked in each of its frames, in its own units.
const WALK: [i32; 4] = [30, 42, 54, 66];

/// What is wrong with the mask of each frame of the upper row: shapes that cover it with the ground's colour, and
/// shapes that add to it.
const FLAWS: [(&str, &str); 4] = [
    ("M-3 -9h9v9h-9z", ""),
    ("M-9 -27h18v15h-18z", "M24 6c6-4 14 0 12 8-2 6-12 6-14 0-1-3 0-6 2-8z"),
    ("M-12 12h24v22h-24zM2 -8h12v12h-12z", ""),
    ("M-13 -6h11v26h-11z", "M-34 14c4-6 12-4 12 3 0 6-9 8-12 3-1-2-1-4 0-6z"),
];

/// What the product does, without words: masks that flicker, and the same masks steady.
#[component]
fn Figure() -> Html {
    let (_, texts) = use_language();
    let person = |class: &'static str| {
        html! {
            <path class={class} d="M0-26a7 7 0 0 1 0 14a7 7 0 0 1 0-14zM-5-10h10a6 6 0 0 1 6 6v15a2.500 2.500 0 0 1-5 0v19a3 3 0 0 1-6 0v-15v15a3 3 0 0 1-6 0v-19a2.500 2.500 0 0 1-5 0v-15a6 6 0 0 1 6-6z" />
        }
    };
    let row = |class: &'static str, flawed: bool| {
        html! {
            <g class={class}>
                { for WALK.iter().zip(FLAWS).enumerate().map(|(index, (walk, (lost, found)))| html! {
                    <g transform={format!("translate({} 0)", index * 104)}>
                        <rect class="still" width="96" height="72" rx="6" />
                        <path class="ground" d="M0 67h96" />
                        <g transform={format!("translate({walk} 36)")}>
                            { person("shape") }
                            if flawed {
                                <path class="lost" d={lost} />
                                <path class="shape" d={found} />
                            }
                        </g>
                    </g>
                }) }
            </g>
        }
    };
    html! {
        <figure class="figure">
            <svg viewBox="0 0 408 214" role="img" aria-label={texts.figure}>
                <text class="row-name before" x="0" y="12">{ texts.figure_before }</text>
                <g transform="translate(0 22)">{ row("before", true) }</g>
                <text class="row-name after" x="0" y="128">{ texts.figure_after }</text>
                <g transform="translate(0 138)">{ row("after", false) }</g>
            </svg>
        </figure>
    }
}
