use std::rc::Rc;

use yew::prelude::*;

use super::{series::Series, use_language};
use crate::{
    i18n::{Language, fill},
    ui::{Lines, Plot, format},
};

/// How many of the worst frames are offered.
const WORST: usize = 3;

/// The plot's content as properties compare it: by identity, since it is made anew when it changes.
#[derive(Clone)]
pub struct Charted {
    /// The values.
    pub series: Rc<Series>,
    /// Their lines.
    pub lines: Rc<Lines>,
}

impl PartialEq for Charted {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.series, &other.series) && Rc::ptr_eq(&self.lines, &other.lines)
    }
}

impl Charted {
    /// Of `series` so far, along an axis of `frames` frames.
    pub fn new(series: Series, frames: usize) -> Self {
        let lines = Lines::new(series.before(), series.after(), frames.max(series.len())).into();
        Self { series: series.into(), lines }
    }
}

/// See [`Stability`].
#[derive(Properties, PartialEq)]
pub struct StabilityProps {
    /// What is plotted.
    pub charted: Charted,
    /// The frame that is shown.
    pub current: usize,
    /// A frame was chosen.
    pub on_frame: Callback<usize>,
}

/// How much the masks flickered at each frame, before and after.
#[component]
pub fn Stability(props: &StabilityProps) -> Html {
    let (language, texts) = use_language();
    let series = &props.charted.series;
    let mean = |values: &[Option<f32>]| {
        let known: Vec<f32> = values.iter().copied().flatten().collect();
        percent((!known.is_empty()).then(|| known.iter().sum::<f32>() / known.len() as f32), language)
    };
    let label = fill(texts.plot, &[&mean(series.before()), &mean(series.after())]);
    let now = |values: &[Option<f32>]| percent(values.get(props.current).copied().flatten(), language);
    let worst = use_memo(props.charted.clone(), |charted| charted.series.worst(WORST));
    let jump = |frame: usize| {
        let onclick = props.on_frame.reform(move |_: MouseEvent| frame);
        html! {
            <button type="button" class="link" {onclick} aria-label={format!("{} {frame}", texts.frame)}>{ frame }</button>
        }
    };
    html! {
        <section class="stability" aria-labelledby="stability">
            <div class="stability-head">
                <h2 id="stability">{ texts.stability }</h2>
                <dl class="legend">
                    <div class="before"><dt>{ texts.before }</dt><dd>{ now(series.before()) }</dd></div>
                    <div class="after"><dt>{ texts.after }</dt><dd>{ now(series.after()) }</dd></div>
                </dl>
            </div>
            <Plot lines={props.charted.lines.clone()} cuts={Rc::from(series.cuts())} current={props.current} {label}
                cut_label={texts.scene_cut} ceiling_label={format::percent_whole(props.charted.lines.ceiling.into())}
                on_frame={props.on_frame.clone()} />
            <p class="hint stability-foot">
                { texts.stability_hint }
                if !worst.is_empty() {
                    <span class="worst" data-testid="worst">{ texts.worst_frames }{ ": " }{ for worst.iter().map(|&frame| jump(frame)) }</span>
                }
            </p>
        </section>
    }
}

fn percent(share: Option<f32>, language: Language) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format::percent(share.into(), language))
}
