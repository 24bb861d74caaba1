use std::rc::Rc;

use steadymask_core::{
    Method,
    auto::{Candidate, Proposal, Reason},
};
use yew::prelude::*;

use super::{settings::method_words, use_language};
use crate::{
    i18n::{Language, Texts, fill},
    ui::{Axis, Dot, Scatter, format},
};

/// See [`TradeOff`].
#[derive(Properties)]
pub struct TradeOffProps {
    /// What was tried.
    pub proposal: Rc<Proposal>,
}

impl PartialEq for TradeOffProps {
    /// By identity, since a proposal is not changed.
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.proposal, &other.proposal)
    }
}

/// What was tried on a sample, and why one of it was chosen: estimated quality, which ranks, against steadiness, which
/// does not; the same as a table.
#[component]
pub fn TradeOff(props: &TradeOffProps) -> Html {
    let (language, texts) = use_language();
    let proposal = &props.proposal;
    let Proposal { chosen, reason, candidates, stretches, .. } = proposal.as_ref();
    let name = words(&candidates[*chosen], language, texts);
    let why = match reason {
        Reason::HighestScore => texts.proposed_highest,
        Reason::DefaultWithinMargin => texts.proposed_default,
        Reason::NothingSeen => texts.proposed_nothing,
    };
    let frames: usize = stretches.iter().map(|stretch| stretch.frames).sum();
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|&a, &b| candidates[b].score.total_cmp(&candidates[a].score));
    // The chosen one is drawn last, over the others.
    let kind = |index: usize| match candidates[index].settings.method {
        _ if index == *chosen => "proposed",
        Method::None => "before",
        _ => "tried",
    };
    let drawn = (0..candidates.len()).filter(|index| index != chosen).chain([*chosen]);
    let dots: Vec<Dot> = drawn
        .filter_map(|index| {
            let candidate = &candidates[index];
            let (x, y) = (steadiness(candidate)?, candidate.score);
            Some(Dot { x, y, label: words(candidate, language, texts).into(), class: kind(index) })
        })
        .collect();
    let in_percent = Callback::from(move |share: f64| format::percent(share, language));
    let in_points = Callback::from(move |score: f64| format::number(score, 2, language));
    let row = |index: usize| {
        let candidate = &candidates[index];
        let share = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format::percent(share, language));
        html! {
            <tr class={kind(index)} aria-current={(index == *chosen).then_some("true")}>
                <th scope="row">
                    { method_words(candidate.settings.method, texts).0 }
                    <small>{ parameters(candidate, language, texts) }</small>
                </th>
                <td>{ format::number(candidate.score, 3, language) }</td>
                <td>{ share(steadiness(candidate)) }</td>
                <td>{ share(candidate.instability.map(f64::from)) }</td>
                <td>{ share(Some(candidate.agreement)) }</td>
            </tr>
        }
    };
    html! {
        <section class="panel trade-off" aria-labelledby="trade-off" data-testid="trade-off">
            <h2 id="trade-off">{ texts.trade_off }</h2>
            <p class="proposed-name" data-testid="proposed">{ fill(texts.proposed, &[&name]) }</p>
            <p class="hint">{ fill(why, &[&frames.to_string()]) }</p>
            <Scatter {dots} label={fill(texts.trade_off_plot, &[&candidates.len().to_string(), &name])}
                x={Axis { name: texts.steadiness.into(), format: in_percent }}
                y={Axis { name: texts.quality.into(), format: in_points }} />
            <ul class="scatter-legend" aria-hidden="true">
                <li><i class="scatter-dot proposed" />{ texts.legend_proposed }</li>
                <li><i class="scatter-dot tried" />{ texts.legend_tried }</li>
                <li><i class="scatter-dot before" />{ texts.legend_before }</li>
            </ul>
            <details class="more">
                <summary data-testid="trade-off-table">{ texts.trade_off_table }</summary>
                <div class="scroll" tabindex="0" role="region" aria-label={texts.trade_off_table}>
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">{ texts.method }</th>
                                <th scope="col">{ texts.quality }</th>
                                <th scope="col">{ texts.steadiness }</th>
                                <th scope="col">{ texts.instability }</th>
                                <th scope="col">{ texts.agreement }</th>
                            </tr>
                        </thead>
                        <tbody>{ for order.into_iter().map(row) }</tbody>
                    </table>
                </div>
            </details>
            <p class="hint">{ texts.trade_off_note }</p>
        </section>
    }
}

/// How steady the masks are along the motion, 0 to 1.
fn steadiness(candidate: &Candidate) -> Option<f64> {
    candidate.motion_compensated_instability.map(|instability| 1.0 - f64::from(instability))
}

/// Method and parameters in one line.
fn words(candidate: &Candidate, language: Language, texts: &Texts) -> String {
    let method = method_words(candidate.settings.method, texts).0;
    match parameters(candidate, language, texts) {
        parameters if parameters.is_empty() => method.to_owned(),
        parameters => format!("{method} ({parameters})"),
    }
}

fn parameters(candidate: &Candidate, language: Language, texts: &Texts) -> String {
    let own = candidate.parameters().into_iter().map(|(field, value)| {
        let name = match field {
            "window_size" => texts.window_size,
            "alpha" => texts.alpha,
            "ratio" => texts.ratio,
            "high" => texts.high,
            "low" => texts.low,
            "decay" => texts.decay,
            "threshold" => texts.threshold,
            other => other,
        };
        // The shortest text that gives the number back.
        let decimals = value.to_string().split_once('.').map_or(0, |(_, fraction)| fraction.len());
        format!("{}: {}", lower_first(name), format::number(value.into(), decimals, language))
    });
    own.collect::<Vec<_>>().join(", ")
}

/// A label as it stands inside a sentence.
fn lower_first(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use steadymask_core::Settings;

    use super::*;

    #[test]
    fn candidates_are_told_in_the_language() {
        let candidate = |settings| Candidate {
            settings,
            score: 0.5,
            motion_compensated_instability: Some(0.25),
            instability: None,
            agreement: 1.0,
            area: 0.1,
            seconds_per_frame: 0.0,
        };
        let told = |settings, language: Language| words(&candidate(settings), language, language.texts());
        let median = Settings { method: Method::Median, window_size: 9, ..Settings::default() };
        assert_eq!(told(median, Language::English), "Median (window, frames: 9)");
        let hysteresis = Settings { method: Method::Hysteresis, threshold: Some(0.35), ..Settings::default() };
        let expected = "Гистерезис и постоянство (вероятность для входа: 0,5, вероятность, чтобы остаться: 0,1, порог маски: 0,35)";
        assert_eq!(told(hysteresis, Language::Russian), expected);
        let none = Settings { method: Method::None, ..Settings::default() };
        assert_eq!(told(none.clone(), Language::English), "None: masks as they came");
        assert_eq!(steadiness(&candidate(none)), Some(0.75));
    }
}
