//! A value per frame, before and after, as two lines.

use std::rc::Rc;

use web_sys::{HtmlElement, MouseEvent};
use yew::prelude::*;

/// Height of the drawing in its own units; its width is the number of frames, less one.
const HEIGHT: f32 = 100.0;

/// The lines of a plot. One path a line, however many frames.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// Number of frames along the axis.
    pub frames: usize,
    /// The value at the upper edge: a round number.
    pub ceiling: f32,
    /// Path of the values before.
    pub before: AttrValue,
    /// Path of the values after.
    pub after: AttrValue,
}

impl Lines {
    /// The lines of `before` and `after`, values of 0 and over, along an axis of `frames` frames.
    pub fn new(before: &[Option<f32>], after: &[Option<f32>], frames: usize) -> Self {
        let highest = before.iter().chain(after).flatten().fold(0.0_f32, |highest, &value| highest.max(value));
        let ceiling = ceiling(highest);
        Self { frames, ceiling, before: path(before, ceiling).into(), after: path(after, ceiling).into() }
    }
}

/// The smallest round number that is not under `highest`, from 0.01 to 1.
fn ceiling(highest: f32) -> f32 {
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8].into_iter().find(|&round| highest <= round).unwrap_or(1.0)
}

/// An SVG path through `values`: frame `i` at x = `i`, `ceiling` at y = 0. Where a value is missing the line
/// breaks; a value without neighbours is a stroke of no length, which round caps make a dot.
fn path(values: &[Option<f32>], ceiling: f32) -> String {
    let mut path = String::with_capacity(values.len() * 9);
    let mut pen_down = false;
    for (x, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let y = HEIGHT * (1.0 - value.clamp(0.0, ceiling) / ceiling);
            let command = if pen_down { 'L' } else { 'M' };
            path.push_str(&format!("{command}{x} {y:.1}"));
            if !pen_down {
                path.push_str("h0");
            }
        }
        pen_down = value.is_some();
    }
    path
}

/// The frame at `share` (0 to 1) of the axis of `frames` frames.
fn frame_at(share: f64, frames: usize) -> usize {
    (share.clamp(0.0, 1.0) * frames.saturating_sub(1) as f64).round() as usize
}

/// See [`Plot`].
#[derive(Properties, PartialEq)]
pub struct PlotProps {
    /// What is drawn.
    pub lines: Rc<Lines>,
    /// Frames at which a new shot begins.
    pub cuts: Rc<[usize]>,
    /// The frame that is shown.
    pub current: usize,
    /// What the plot says, in words.
    pub label: AttrValue,
    /// Name of a scene cut.
    pub cut_label: AttrValue,
    /// The upper edge's value, in words.
    pub ceiling_label: AttrValue,
    /// A frame was chosen.
    pub on_frame: Callback<usize>,
}

/// Two lines over the frames; a press or a drag chooses a frame. The scrubber below does the same by keyboard.
#[component]
pub fn Plot(props: &PlotProps) -> Html {
    let area = use_node_ref();
    let frames = props.lines.frames;
    let choose = {
        let (area, on_frame) = (area.clone(), props.on_frame.clone());
        move |event: &MouseEvent| {
            if let Some(area) = area.cast::<HtmlElement>() {
                let bounds = area.get_bounding_client_rect();
                let share = (f64::from(event.client_x()) - bounds.left()) / bounds.width().max(1.0);
                on_frame.emit(frame_at(share, frames));
            }
        }
    };
    let onpointerdown = {
        let (area, choose) = (area.clone(), choose.clone());
        Callback::from(move |event: PointerEvent| {
            if let Some(area) = area.cast::<HtmlElement>() {
                // Without capture, which a synthetic pointer refuses, a drag only ends at the edge.
                _ = area.set_pointer_capture(event.pointer_id());
            }
            choose(&event);
        })
    };
    let onpointermove = Callback::from(move |event: PointerEvent| {
        if event.buttons() & 1 == 1 {
            choose(&event);
        }
    });
    let span = frames.saturating_sub(1).max(1);
    let at = |frame: usize| format!("left: {:.3}%", 100.0 * frame as f64 / span as f64);
    html! {
        <div class="plot" role="img" aria-label={props.label.clone()} data-testid="plot">
            <span class="plot-ceiling" aria-hidden="true">{ &props.ceiling_label }</span>
            <div class="plot-area" ref={area} {onpointerdown} {onpointermove}>
                <svg viewBox={format!("0 0 {span} {HEIGHT}")} preserveAspectRatio="none" aria-hidden="true">
                    <path class="line-before" d={props.lines.before.clone()} />
                    <path class="line-after" d={props.lines.after.clone()} />
                </svg>
                { for props.cuts.iter().map(|&cut| html! {
                    <i class="plot-cut" style={at(cut)} title={format!("{} {cut}", props.cut_label)} />
                }) }
                <i class="plot-now" style={at(props.current)} />
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_goes_through_the_values_and_breaks_where_they_miss() {
        let values = [None, Some(0.0), Some(0.25), None, Some(0.5), None];
        assert_eq!(path(&values, 0.5), "M1 100.0h0L2 50.0M4 0.0h0");
        assert_eq!(path(&[], 0.5), "");
        assert_eq!(path(&[None; 3], 0.5), "");
        assert_eq!(path(&[Some(7.0), Some(-1.0)], 1.0), "M0 0.0h0L1 100.0");
    }

    #[test]
    fn the_ceiling_is_round_and_not_under_the_values() {
        for (highest, round) in
            [(0.0, 0.01), (0.01, 0.01), (0.011, 0.02), (0.3, 0.3), (0.51, 0.6), (0.81, 1.0), (1.0, 1.0)]
        {
            assert_eq!(ceiling(highest), round, "{highest}");
        }
        let lines = Lines::new(&[None, Some(0.18)], &[None, Some(0.03)], 2);
        assert_eq!((lines.ceiling, lines.before.as_str()), (0.2, "M1 10.0h0"));
    }

    #[test]
    fn two_thousand_frames_make_one_short_path() {
        let values: Vec<_> = (0..2000).map(|i| Some((i % 97) as f32 / 97.0)).collect();
        let path = path(&values, 1.0);
        assert_eq!(path.matches('M').count(), 1);
        assert_eq!(path.matches('L').count(), 1999);
        assert!(path.len() < 24_000, "{} bytes", path.len());
    }

    #[test]
    fn the_pointer_finds_its_frame() {
        assert_eq!(frame_at(0.0, 90), 0);
        assert_eq!(frame_at(1.0, 90), 89);
        assert_eq!(frame_at(0.5, 3), 1);
        assert_eq!(frame_at(7.0, 3), 2);
        assert_eq!(frame_at(0.4, 1), 0);
        assert_eq!(frame_at(f64::NAN, 0), 0);
    }
}
