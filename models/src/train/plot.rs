//! Curves of a run and of a network's reliability, as SVG.

use std::path::Path;

use plotters::{chart::SeriesLabelPosition, coord::Shift, prelude::*};

use super::{Result, calibration::Reliability, run::Line, state};

const SIZE: (u32, u32) = (720, 400);
const FONT: &str = "sans-serif";
const FONT_SIZE: i32 = 13;
/// Colours that are told apart by eyes of every kind (Okabe and Ito).
const COLORS: [RGBColor; 3] = [RGBColor(0, 158, 115), RGBColor(213, 94, 0), RGBColor(0, 114, 178)];
const GRAY: RGBColor = RGBColor(140, 140, 140);
/// A curve's points are means of so many parts of the run.
const POINTS: usize = 200;

/// A part of the loss: its name, and where it stands.
type Part = (&'static str, fn(&Line) -> f32);

/// The parts of the loss over the steps.
pub(super) fn curves(lines: &[Line]) -> String {
    let series: [Part; 3] = [
        ("cross-entropy with the labels", |line| line.labels),
        ("divergence from the teacher", |line| line.distillation),
        ("disagreement of the views", |line| line.consistency),
    ];
    let group = lines.len().div_ceil(POINTS).max(1);
    let mean = |lines: &[Line], value: fn(&Line) -> f32| {
        (lines[0].step as f64, lines.iter().map(|line| f64::from(value(line))).sum::<f64>() / lines.len() as f64)
    };
    let curves: Vec<(&str, Vec<(f64, f64)>)> = series
        .into_iter()
        .map(|(name, value)| (name, lines.chunks(group).map(|lines| mean(lines, value)).collect()))
        .collect();
    let last = lines.last().map_or(1.0, |line| line.step.max(1) as f64);
    let greatest = curves.iter().flat_map(|(_, points)| points).fold(0.01, |greatest, &(_, y)| f64::max(greatest, y));
    chart(
        ["Training", "step", "loss, before weighing"],
        [last, 1.05 * greatest],
        &curves,
        SeriesLabelPosition::UpperRight,
    )
}

/// How often the foreground's probabilities are right, at temperature 1 and at those that were fitted.
pub(super) fn reliability(raw: &Reliability, calibrated: &Reliability) -> String {
    let points = |of: &Reliability| of.foreground_bins.iter().map(|&[p, right, _]| (p, right)).collect();
    let curves = [
        ("calibrated", points(calibrated)),
        ("as the network says", points(raw)),
        ("perfect", vec![(0.0, 0.0), (1.0, 1.0)]),
    ];
    let titles = ["Of pixels with this probability of a class, how many are of it", "probability", "share"];
    chart(titles, [1.0, 1.0], &curves, SeriesLabelPosition::LowerRight)
}

/// Writes a plot.
pub(super) fn write(path: &Path, svg: String) -> Result<()> {
    state::write_whole(path, svg.as_bytes())
}

/// Lines from 0 to `greatest` on both axes; one called "perfect" is drawn in gray.
fn chart(
    [title, x, y]: [&str; 3],
    greatest: [f64; 2],
    curves: &[(&str, Vec<(f64, f64)>)],
    legend: SeriesLabelPosition,
) -> String {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    draw(&area, [title, x, y], greatest, curves, legend)
        .expect("memory takes any number of bytes, and the plot's parts fit its size");
    drop(area);
    text
}

fn draw(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    [title, x, y]: [&str; 3],
    greatest: [f64; 2],
    curves: &[(&str, Vec<(f64, f64)>)],
    legend: SeriesLabelPosition,
) -> std::result::Result<(), DrawingAreaErrorKind<std::io::Error>> {
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(area)
        .caption(title, (FONT, FONT_SIZE + 5))
        .margin(10)
        .x_label_area_size(38)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..greatest[0], 0.0..greatest[1])?;
    chart.configure_mesh().light_line_style(TRANSPARENT).x_desc(x).y_desc(y).label_style((FONT, FONT_SIZE)).draw()?;
    for ((name, points), color) in curves.iter().zip(COLORS) {
        let style = if *name == "perfect" { GRAY } else { color }.stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(legend)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, FONT_SIZE))
        .draw()?;
    area.present()
}
