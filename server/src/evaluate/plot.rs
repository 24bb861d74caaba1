//! Plots as SVG.

use plotters::{
    chart::SeriesLabelPosition,
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// Size of every plot in pixels.
const SIZE: (u32, u32) = (720, 400);
const FONT: &str = "sans-serif";
const FONT_SIZE: i32 = 13;
/// Room around a chart, and for what is written along its axes.
const MARGIN: i32 = 10;
const X_LABELS: i32 = 38;
const Y_LABELS: i32 = 52;
/// Width of a letter, about, as a share of the font's size.
const LETTER: f64 = 0.55;
const GRAY: RGBColor = RGBColor(140, 140, 140);
/// Colours that are told apart by eyes of every kind (Okabe and Ito), the first for what matters most.
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 158, 115),
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// A line over the frames of a clip.
pub struct Line<'a> {
    /// What it shows.
    pub name: &'a str,
    /// A value a frame, 0 to 1.
    pub values: Vec<f64>,
    /// Whether it is there for comparison only, and drawn in gray.
    pub quiet: bool,
}

/// Values of 0 to 1 over the frames of a clip; what each line is stands above them, where it hides none.
pub fn over_frames(title: &str, axis: &str, lines: &[Line<'_>]) -> String {
    const ROW: i32 = 20;
    let frames = lines.iter().map(|line| line.values.len()).max().unwrap_or(0).max(2);
    svg(|area| {
        let below = area.titled(title, (FONT, FONT_SIZE + 5))?;
        let (names, below) = below.split_vertically(ROW);
        let mut chart = framed(&below).build_cartesian_2d(0..frames - 1, 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc("frame")
            .y_desc(axis)
            .y_label_formatter(&|value| format!("{value:.1}"))
            .label_style((FONT, FONT_SIZE))
            .draw()?;
        let words = (FONT, FONT_SIZE).into_text_style(&area).pos(Pos::new(HPos::Left, VPos::Center));
        let mut loud = COLORS.iter().cycle();
        let (mut left, middle) = (MARGIN + Y_LABELS, ROW / 2);
        for line in lines {
            let color = if line.quiet { &GRAY } else { loud.next().unwrap_or(&BLACK) };
            let style = color.stroke_width(2);
            chart.draw_series(LineSeries::new(line.values.iter().copied().enumerate(), style))?;
            names.draw(&PathElement::new([(left, middle), (left + 18, middle)], style))?;
            names.draw_text(line.name, &words, (left + 24, middle))?;
            left += 24 + (line.name.chars().count() as f64 * LETTER * f64::from(FONT_SIZE)) as i32 + 20;
        }
        area.present()
    })
}

/// A point with words beside it.
pub struct Point<'a> {
    /// The words.
    pub label: &'a str,
    /// Which of the plot's groups it belongs to.
    pub group: usize,
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
}

/// Points that belong together, by colour.
pub struct Groups<'a> {
    /// What they are called.
    pub names: &'a [&'a str],
    /// Where the names stand, if there are several.
    pub corner: Corner,
}

/// A corner of a plot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corner {
    /// Above on the left.
    UpperLeft,
    /// Above on the right.
    UpperRight,
    /// Below on the right.
    LowerRight,
}

impl Corner {
    fn position(self) -> SeriesLabelPosition {
        match self {
            Self::UpperLeft => SeriesLabelPosition::UpperLeft,
            Self::UpperRight => SeriesLabelPosition::UpperRight,
            Self::LowerRight => SeriesLabelPosition::LowerRight,
        }
    }
}

/// Points in groups, one colour a group; the lines where x or y is 0 are drawn when they are in sight.
///
/// Points that are not finite are left out.
pub fn scatter(title: &str, axes: [&str; 2], groups: &Groups<'_>, points: &[Point<'_>]) -> String {
    let points: Vec<_> = points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
    let x = span(points.iter().map(|point| point.x));
    let y = span(points.iter().map(|point| point.y));
    svg(|area| {
        let mut chart = framed(&area).caption(title, (FONT, FONT_SIZE + 5)).build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(axes[0])
            .y_desc(axes[1])
            .label_style((FONT, FONT_SIZE))
            .draw()?;
        let zero = GRAY.stroke_width(1);
        if x.contains(&0.0) {
            chart.draw_series([PathElement::new([(0.0, y.start), (0.0, y.end)], zero)])?;
        }
        if y.contains(&0.0) {
            chart.draw_series([PathElement::new([(x.start, 0.0), (x.end, 0.0)], zero)])?;
        }
        let mut places = Places::default();
        for point in &points {
            places.take_dot(chart.backend_coord(&(point.x, point.y)));
        }
        for (group, name) in groups.names.iter().enumerate() {
            let color = COLORS[group % COLORS.len()];
            let own = points.iter().filter(|point| point.group == group);
            chart
                .draw_series(own.clone().map(|point| Circle::new((point.x, point.y), 4, color.filled())))?
                .label(*name)
                .legend(move |(x, y)| Circle::new((x + 9, y), 4, color.filled()));
            for point in own {
                let (place, anchor) = places.beside(chart.backend_coord(&(point.x, point.y)), point.label);
                area.draw_text(
                    point.label,
                    &(FONT, FONT_SIZE - 1).into_text_style(&area).color(&color).pos(anchor),
                    place,
                )?;
            }
        }
        if groups.names.len() > 1 {
            chart
                .configure_series_labels()
                .position(groups.corner.position())
                .background_style(WHITE.mix(0.8))
                .label_font((FONT, FONT_SIZE))
                .draw()?;
        }
        area.present()
    })
}

/// The range of the values, with room around it.
fn span(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let room = (0.1 * (high - low)).max(1e-3);
    low - room..high + room
}

/// Where words can still go: boxes `[left, top, right, bottom]` that are taken.
#[derive(Default)]
struct Places {
    taken: Vec<[f64; 4]>,
}

impl Places {
    fn take_dot(&mut self, (x, y): (i32, i32)) {
        let (x, y) = (f64::from(x), f64::from(y));
        self.taken.push([x - 4.0, y - 4.0, x + 4.0, y + 4.0]);
    }

    /// Where words beside the dot at (`x`, `y`) are in nobody's way; to its right when they are everywhere.
    fn beside(&mut self, (x, y): (i32, i32), words: &str) -> ((i32, i32), Pos) {
        const GAP: i32 = 7;
        let (width, height) = (words.chars().count() as f64 * LETTER * f64::from(FONT_SIZE), f64::from(FONT_SIZE));
        let places = [
            ((x + GAP, y), HPos::Left, VPos::Center),
            ((x - GAP, y), HPos::Right, VPos::Center),
            ((x, y - GAP), HPos::Center, VPos::Bottom),
            ((x, y + GAP), HPos::Center, VPos::Top),
        ];
        let boxed = |&((x, y), h, v): &((i32, i32), HPos, VPos)| {
            let left = f64::from(x)
                - match h {
                    HPos::Left => 0.0,
                    HPos::Center => width / 2.0,
                    HPos::Right => width,
                };
            let top = f64::from(y)
                - match v {
                    VPos::Top => 0.0,
                    VPos::Center => height / 2.0,
                    VPos::Bottom => height,
                };
            [left, top, left + width, top + height]
        };
        let clear = |place: &&((i32, i32), HPos, VPos)| {
            let [left, top, right, bottom] = boxed(place);
            let apart = |b: &[f64; 4]| left >= b[2] || right <= b[0] || top >= b[3] || bottom <= b[1];
            left >= 0.0 && right <= f64::from(SIZE.0) && self.taken.iter().all(apart)
        };
        let place = places.iter().find(clear).unwrap_or(&places[0]);
        self.taken.push(boxed(place));
        (place.0, Pos::new(place.1, place.2))
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// A chart with room for what its axes say.
fn framed<'a, 'b>(area: &'a Area<'b>) -> ChartBuilder<'a, 'static, SVGBackend<'b>> {
    let mut chart = ChartBuilder::on(area);
    chart.margin(MARGIN).x_label_area_size(X_LABELS).y_label_area_size(Y_LABELS);
    chart
}

/// The SVG that `draw` draws on white.
fn svg(draw: impl FnOnce(Area<'_>) -> Drawn) -> String {
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    let drawn = area.fill(&WHITE).and_then(|()| draw(area));
    drawn.expect("memory takes any number of bytes, and the plot's parts fit its size");
    text
}
