//! Things compared by two values, as dots.

use yew::prelude::*;

/// One of the things.
#[derive(Debug, Clone, PartialEq)]
pub struct Dot {
    /// Its value to the right, 0 to 1.
    pub x: f64,
    /// Its value upwards, 0 to 1.
    pub y: f64,
    /// What it is, in words.
    pub label: AttrValue,
    /// How it looks: a class of the style sheet.
    pub class: &'static str,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is measured.
    pub name: AttrValue,
    /// Its values in words.
    pub format: Callback<f64, String>,
}

/// See [`Scatter`].
#[derive(Properties, PartialEq)]
pub struct ScatterProps {
    /// The things; the later lie over the earlier.
    pub dots: Vec<Dot>,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// What the plot says, in words.
    pub label: AttrValue,
}

/// Dots over two axes, which span their values. A table beside it should tell the same.
#[component]
pub fn Scatter(props: &ScatterProps) -> Html {
    let (x, y) = (Span::of(props.dots.iter().map(|dot| dot.x)), Span::of(props.dots.iter().map(|dot| dot.y)));
    let dot = |dot: &Dot| {
        let place = format!("left: {:.2}%; bottom: {:.2}%", 100.0 * x.share(dot.x), 100.0 * y.share(dot.y));
        html! { <i class={classes!("scatter-dot", dot.class)} style={place} title={&dot.label} /> }
    };
    html! {
        <div class="scatter" role="img" aria-label={&props.label} data-testid="scatter">
            <p class="scatter-name" aria-hidden="true">{ "↑ " }{ &props.y.name }</p>
            <div class="scatter-area" aria-hidden="true">
                <span class="scatter-top">{ props.y.format.emit(y.high) }</span>
                <span class="scatter-bottom">{ props.y.format.emit(y.low) }</span>
                <div class="scatter-dots">{ for props.dots.iter().map(dot) }</div>
            </div>
            <p class="scatter-foot" aria-hidden="true">
                <span>{ props.x.format.emit(x.low) }</span>
                <span class="scatter-name">{ &props.x.name }{ " →" }</span>
                <span>{ props.x.format.emit(x.high) }</span>
            </p>
        </div>
    }
}

/// The values that an axis shows, between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    /// From the least to the greatest value, with a little room at both ends.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            return Self { low: 0.0, high: 1.0 };
        }
        let room = (0.06 * (high - low)).max(0.005);
        Self { low: (low - room).max(0.0), high: (high + room).min(1.0) }
    }

    /// How far along the axis a value lies, 0 to 1.
    fn share(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_span_their_values_with_room() {
        let span = Span::of([0.2, 0.7, 0.4].into_iter());
        assert!((span.low - 0.17).abs() < 1e-9 && (span.high - 0.73).abs() < 1e-9, "{span:?}");
        assert!(span.share(0.2) > 0.0 && span.share(0.7) < 1.0);
        assert_eq!(Span::of([0.0, 1.0].into_iter()), Span { low: 0.0, high: 1.0 });
        let one = Span::of([0.5, 0.5].into_iter());
        assert!((one.share(0.5) - 0.5).abs() < 1e-9, "a single value lies in the middle");
        assert_eq!(Span::of(std::iter::empty()), Span { low: 0.0, high: 1.0 });
    }
}
