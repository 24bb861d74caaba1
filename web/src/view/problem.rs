use yew::prelude::*;

use super::use_language;
use crate::{
    engine::protocol::FailureCode,
    ui::{Icon, IconName},
};

/// Id of the element that says what did not work; it can take the focus.
pub const ID: &str = "problem";

/// Something that did not work.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What kind; `None` for the page's own, such as a sample that could not be fetched.
    pub code: Option<FailureCode>,
    /// What happened, in words.
    pub message: AttrValue,
}

/// See [`ProblemView`].
#[derive(Properties, PartialEq)]
pub struct ProblemProps {
    /// What did not work.
    pub problem: Problem,
    /// The page is to be loaded again.
    pub on_reload: Callback<()>,
    /// It was read.
    pub on_dismiss: Callback<()>,
}

/// Says what did not work, and the way out.
#[component]
pub fn ProblemView(props: &ProblemProps) -> Html {
    let (_, texts) = use_language();
    let Problem { code, message } = &props.problem;
    let words = code.map(|code| match code {
        FailureCode::Start => texts.error_start,
        FailureCode::NoWebCodecs => texts.error_no_webcodecs,
        FailureCode::NotAVideo => texts.error_not_a_video,
        FailureCode::NoVideoTrack => texts.error_no_video_track,
        FailureCode::NoFrames => texts.error_no_frames,
        FailureCode::Codec => texts.error_codec,
        FailureCode::FrameSize => texts.error_frame_size,
        FailureCode::Damaged => texts.error_damaged,
        FailureCode::Settings => texts.error_settings,
        FailureCode::Network => texts.error_network,
        FailureCode::Order => texts.error_order,
        FailureCode::Encode => texts.error_encode,
        FailureCode::Internal => texts.error_internal,
    });
    let dismiss = props.on_dismiss.reform(|_: MouseEvent| ());
    let reload = props.on_reload.reform(|_: MouseEvent| ());
    html! {
        <section class="problem" id={ID} tabindex="-1" role="alert" data-testid="error" data-code={code.map(|code| format!("{code:?}"))}>
            <div class="problem-words">
                <strong>{ words.unwrap_or(texts.error) }</strong>
                // What the engine says, it says in English.
                <p lang={code.map(|_| "en")}>{ message }</p>
                if matches!(code, Some(FailureCode::Start | FailureCode::Internal)) {
                    <button type="button" class="button" onclick={reload}>{ texts.error_reload }</button>
                }
            </div>
            <button type="button" class="icon-button" aria-label={texts.error_dismiss} title={texts.error_dismiss} onclick={dismiss}>
                <Icon name={IconName::Close} />
            </button>
        </section>
    }
}
