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

/// A person of the figure, some 60 units tall around the origin.
const PERSON: &str = "M0-26a7 7 0 0 1 0 14a7 7 0 0 1 0-14zM-5-10h10a6 6 0 0 1 6 6v15a2.5 2.5 0 0 1-5 0v19a3 3 0 0 1-6 0\
    v-15v15a3 3 0 0 1-6 0v-19a2.5 2.5 0 0 1-5 0v-15a6 6 0 0 1 6-6z";

/// How far the person has walked in each frame of the figure.
const WALK: [i32; 4] = [30, 42, 54, 66];

/// What is wrong with the mask of each frame of the upper row: what it misses of the person, and what it finds
/// beside them.
const FLAWS: [(&str, &str); 4] = [
    ("M4-3a7 8 0 1 0 14 0a7 8 0 1 0-14 0z", ""),
    ("M-12-22a12 11 0 1 0 24 0a12 11 0 1 0-24 0z", "M24 6c6-4 14 0 12 8-2 6-12 6-14 0-1-3 0-6 2-8z"),
    ("M-16 24a16 12 0 1 0 32 0a16 12 0 1 0-32 0zM-18 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0z", ""),
    ("M-22 8a11 21 0 1 0 22 0a11 21 0 1 0-22 0z", "M-40 16c4-6 12-4 12 3 0 6-9 8-12 3-1-2-1-4 0-6z"),
];

/// What the product does, without words: masks that flicker, and the same masks steady.
#[component]
fn Figure() -> Html {
    let (_, texts) = use_language();
    let still = |index: usize, person: Html| {
        html! {
            <g transform={format!("translate({} 0)", index * 104)}>
                <rect class="still" width="96" height="72" rx="6" />
                <path class="ground" d="M0 67h96" />
                <g transform={format!("translate({} 36)", WALK[index])}>{ person }</g>
            </g>
        }
    };
    let flawed = |(index, (lost, found)): (usize, (&'static str, &'static str))| {
        let kept = format!("kept-{index}");
        still(
            index,
            html! {
                <>
                    <mask id={kept.clone()} maskUnits="userSpaceOnUse" x="-48" y="-36" width="96" height="72">
                        <rect x="-48" y="-36" width="96" height="72" fill="white" />
                        <path d={lost} fill="black" />
                    </mask>
                    <path class="shape" d={PERSON} mask={format!("url(#{kept})")} />
                    <path class="edge" d={lost} clip-path="url(#person)" />
                    <path class="shape" d={found} />
                </>
            },
        )
    };
    html! {
        <figure class="figure">
            <svg viewBox="0 0 408 214" role="img" aria-label={texts.figure}>
                <clipPath id="person"><path d={PERSON} /></clipPath>
                <g class="before">
                    <text class="row-name" y="12">{ texts.figure_before }</text>
                    <g transform="translate(0 22)">{ for FLAWS.into_iter().enumerate().map(flawed) }</g>
                </g>
                <g class="after">
                    <text class="row-name" y="128">{ texts.figure_after }</text>
                    <g transform="translate(0 138)">
                        { for (0..WALK.len()).map(|index| still(index, html! { <path class="shape" d={PERSON} /> })) }
                    </g>
                </g>
            </svg>
        </figure>
    }
}
