use yew::prelude::*;

/// See [`Progress`].
#[derive(Properties, PartialEq)]
pub struct ProgressProps {
    /// What is going on.
    pub label: AttrValue,
    /// 0 to 1; `None` while it cannot be told.
    pub share: Option<f64>,
    /// Figures beside it: frames, speed, time left.
    pub figures: Vec<AttrValue>,
    /// What to read aloud. Changes seldom, see [`milestone`].
    pub announcement: AttrValue,
    /// What stands at the end of the line, such as a button that cancels.
    #[prop_or_default]
    pub children: Html,
}

/// How far something is, for eyes and for screen readers.
#[component]
pub fn Progress(props: &ProgressProps) -> Html {
    let value = props.share.map(|share| format!("{share:.4}"));
    html! {
        <div class="progress" data-testid="progress">
            <div class="progress-line">
                <strong>{ &props.label }</strong>
                { for props.figures.iter().map(|figure| html! { <span class="figure">{ figure }</span> }) }
                { props.children.clone() }
            </div>
            <progress max="1" {value} aria-label={&props.label} />
            <p class="visually-hidden" aria-live="polite">{ &props.announcement }</p>
        </div>
    }
}

/// The whole tenth that `share` has passed, in percent: what is worth reading aloud.
pub fn milestone(share: f64) -> u32 {
    // The sum of a hair keeps 0.3 from being 2.999… tenths.
    (share.clamp(0.0, 1.0) * 10.0 + 1e-9).floor() as u32 * 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenths_are_announced() {
        for (share, percent) in [(0.0, 0), (0.099, 0), (0.1, 10), (0.3, 30), (0.999, 90), (1.0, 100), (2.0, 100)] {
            assert_eq!(milestone(share), percent, "{share}");
        }
    }
}
