//! QUALITY.md and its pictures.

use std::path::Path;

use steadymask_server::{
    evaluate::{
        ClipScores, Evaluation, Measure, Table, cut_percent,
        plot::{self, Corner, Groups, Line, Point},
        signed,
    },
    picture::write_whole,
};

use crate::{
    DEFAULT,
    clip::{Kept, Net, Sequence},
    strip,
};

/// Folder of the pictures, from the root of the repository.
const PICTURES: &str = "docs/quality";
/// The row with the default settings, and that of the network's own masks.
const STEADY: usize = 0;
const RAW_ROW: usize = 1;

/// Everything the page tells of.
pub struct Page<'a> {
    /// The networks.
    pub nets: &'a [Net<'a>],
    /// An evaluation a network.
    pub evaluations: Vec<Evaluation>,
    /// The sequences.
    pub sequences: &'a [Sequence],
    /// Masks to show.
    pub kept: &'a [Kept],
}

impl Page<'_> {
    /// Writes QUALITY.md into `root` and the pictures beside it.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        let pictures = root.join(PICTURES);
        std::fs::create_dir_all(&pictures)?;
        let write = |name: &str, bytes: &[u8]| write_whole(&pictures.join(name), bytes);
        write("gain.svg", self.gains().as_bytes())?;
        let frames: usize = self.sequences.iter().map(Sequence::frames).sum();
        let mut text =
            INTRODUCTION.replace("SEQUENCES", &self.sequences.len().to_string()).replace("FRAMES", &frames.to_string());
        for (net, evaluation) in self.nets.iter().zip(&self.evaluations) {
            let (name, plot) = (net.name, format!("trade-off-{}.svg", net.name));
            write(&plot, trade_off(name, evaluation).as_bytes())?;
            text += &format!(
                "\n### {name}\n\n{}.\n\n{}\n![J&F over flicker, a point a method]({PICTURES}/{plot})\n",
                capitalized(net.about),
                methods(evaluation).markdown(),
            );
        }
        text += &self.estimate();
        text += &network(root);
        text += &format!(
            "\n## Clip by clip\n\n\
             {DEFAULT} against the raw masks: differences in J, F and F within 2 pixels, and by how much the flicker \
             was cut. The worst clip of each network is the one with the least J&F gained.\n\n{}\n\
             ![J&F gained over flicker cut, a point a clip]({PICTURES}/gain.svg)\n",
            self.clips().markdown(),
        );
        text += "\n## The best and the worst clip\n";
        for (which, (net, clip)) in [("best", self.best()), ("worst", self.worst())] {
            let name = &clip.name;
            let found = self.kept.iter().find(|kept| kept.sequence == *name && kept.net == self.nets[net].name);
            let sequence = self.sequences.iter().find(|sequence| sequence.name == *name);
            if let Some((kept, sequence)) = found.zip(sequence) {
                write(&format!("{which}.jpg"), &strip::jpeg(sequence, kept)?)?;
            }
            write(&format!("{which}.svg"), self.over_frames(net, clip).as_bytes())?;
            let gain = |measure| signed(clip.gain(measure, RAW_ROW, STEADY));
            text += &format!(
                "\nThe {which}: **{name}** with {} (ΔJ {}, ΔF {}). Above the network's masks, in the middle those made \
                 steady, below the truth.\n\n\
                 ![Five frames of {name}]({PICTURES}/{which}.jpg)\n\n\
                 ![J of every frame of {name}]({PICTURES}/{which}.svg)\n",
                self.nets[net].name,
                gain(Measure::J),
                gain(Measure::F),
            );
        }
        text += ATTRIBUTION;
        write_whole(&root.join("QUALITY.md"), text.as_bytes())?;
        Ok(())
    }

    fn all_clips(&self) -> impl Iterator<Item = (usize, &ClipScores)> {
        self.evaluations.iter().enumerate().flat_map(|(net, evaluation)| evaluation.clips.iter().map(move |c| (net, c)))
    }

    fn best(&self) -> (usize, &ClipScores) {
        let merit = |(_, clip): &(usize, &ClipScores)| clip.gain(Measure::JAndF, RAW_ROW, STEADY).unwrap_or(0.0);
        self.all_clips().max_by(|a, b| merit(a).total_cmp(&merit(b))).expect("at least one clip")
    }

    fn worst(&self) -> (usize, &ClipScores) {
        let merit = |(_, clip): &(usize, &ClipScores)| clip.gain(Measure::JAndF, RAW_ROW, STEADY).unwrap_or(0.0);
        self.all_clips().min_by(|a, b| merit(a).total_cmp(&merit(b))).expect("at least one clip")
    }

    fn names(&self) -> Vec<&str> {
        self.nets.iter().map(|net| net.name).collect()
    }

    /// How well the estimate without truth tells gains from losses.
    fn estimate(&self) -> String {
        let mut table =
            Table::new(["", "methods", "with frozen, empty and exponential 0.1"].map(String::from).to_vec());
        let mut all = [Vec::new(), Vec::new()];
        let mut row = |name: &str, gains: &[Vec<[f64; 2]>; 2]| {
            let cells = gains.iter().map(|gains| format!("{:.2}", rank_correlation(gains)));
            table.push(std::iter::once(name.into()).chain(cells).collect());
        };
        for (net, evaluation) in self.nets.iter().zip(&self.evaluations) {
            let gains = [false, true].map(|trivial| estimated_gains(evaluation, trivial));
            row(net.name, &gains);
            all.iter_mut().zip(gains).for_each(|(all, gains)| all.extend(gains));
        }
        row("all three", &all);
        format!("{ESTIMATE}{}", table.markdown())
    }

    /// What was gained on each clip.
    fn gains(&self) -> String {
        let point = |(group, clip): (usize, &'_ ClipScores)| {
            let flicker = |row: usize| clip.subjects[row].scores.get(Measure::Flicker);
            let cut = cut_percent(flicker(RAW_ROW)?, flicker(STEADY)?)?;
            Some((group, cut, 100.0 * clip.gain(Measure::JAndF, RAW_ROW, STEADY)?))
        };
        let points: Vec<_> = self
            .all_clips()
            .filter_map(|(group, clip)| {
                point((group, clip)).map(|(group, x, y)| Point { label: &clip.name, group, x, y })
            })
            .collect();
        let groups = Groups { names: &self.names(), corner: Corner::UpperLeft };
        plot::scatter(&format!("{DEFAULT}, clip by clip"), ["flicker cut, %", "J&F gained"], &groups, &points)
    }

    /// J of every frame of a clip, before and after.
    fn over_frames(&self, net: usize, clip: &ClipScores) -> String {
        let line = |row: usize, name| Line {
            name,
            values: clip.subjects[row].frames.iter().map(|frame| frame.j).collect(),
            quiet: row == RAW_ROW,
        };
        let title = format!("{}, {}", clip.name, self.nets[net].name);
        plot::over_frames(&title, "J", &[line(RAW_ROW, "raw"), line(STEADY, DEFAULT)])
    }

    /// A row a clip, for each network what was gained.
    fn clips(&self) -> Table {
        let columns = self
            .nets
            .iter()
            .flat_map(|net| ["ΔJ", "ΔF", "ΔF 2 px", "flicker"].map(|what| format!("{} {what}", net.name)));
        let mut table = Table::new(std::iter::once("clip".into()).chain(columns).collect());
        for (index, sequence) in self.sequences.iter().enumerate() {
            let cells = self.evaluations.iter().flat_map(|evaluation| {
                let clip = &evaluation.clips[index];
                let gain = |measure| signed(clip.gain(measure, RAW_ROW, STEADY));
                let flicker = |row: usize| clip.subjects[row].scores.get(Measure::Flicker);
                let cut = flicker(RAW_ROW).zip(flicker(STEADY)).and_then(|(before, after)| cut_percent(before, after));
                let worst = if clip.name == evaluation.worst_clip { " (worst)" } else { "" };
                [gain(Measure::J) + worst, gain(Measure::F), gain(Measure::FStrict), lowered(cut)]
            });
            table.push(std::iter::once(sequence.name.clone()).chain(cells).collect());
        }
        table
    }
}

/// What `cargo xtask quality` measured of the network alone, where it had the pictures for it.
fn network(root: &Path) -> String {
    let folder = format!("{PICTURES}/network");
    match std::fs::read_to_string(root.join(&folder).join("scores.md")) {
        Ok(scores) => format!(
            "\n## The network inside the program\n\n\
             On single pictures that were kept out of its training, and how far its probabilities are to be believed: of \
             all pixels given a class with a probability of 0.9, nine in ten should be of it.\n\n{scores}\n\
             ![Reliability of the probabilities]({folder}/reliability.svg)\n"
        ),
        Err(_) => String::new(),
    }
}

/// How good and how steady each method is; what is no method is left out.
fn trade_off(net: &str, evaluation: &Evaluation) -> String {
    let methods =
        evaluation.subjects.iter().filter(|subject| subject.name != TRUTH && !TRIVIAL.contains(&subject.name.as_str()));
    let points = methods.filter_map(|subject| {
        let (flicker, jf) = (subject.mean.get(Measure::Flicker)?, subject.mean.get(Measure::JAndF)?);
        let group = usize::from(!subject.name.starts_with("consensus"));
        Some(Point { label: &subject.name, group, x: flicker, y: 100.0 * jf })
    });
    let groups = Groups { names: &["consensus", "others"], corner: Corner::UpperRight };
    let title = format!("{net}: good and steady is up and to the left");
    plot::scatter(&title, ["flicker", "J&F"], &groups, &points.collect::<Vec<_>>())
}

/// For every clip and every row but the raw masks and the truth: what the estimate says was gained in J&F, and what was.
fn estimated_gains(evaluation: &Evaluation, trivial: bool) -> Vec<[f64; 2]> {
    let counts = |row: usize| {
        let name = evaluation.subjects[row].name.as_str();
        row != RAW_ROW && name != TRUTH && (trivial || !TRIVIAL.contains(&name))
    };
    let rows: Vec<_> = (0..evaluation.subjects.len()).filter(|&row| counts(row)).collect();
    let gains = |clip: &ClipScores| -> Vec<_> {
        let gain = |row: usize, measure| clip.gain(measure, RAW_ROW, row);
        rows.iter().filter_map(|&row| Some([gain(row, Measure::Estimate)?, gain(row, Measure::JAndF)?])).collect()
    };
    evaluation.clips.iter().flat_map(gains).collect()
}

/// Spearman's: the correlation of the ranks, −1 to 1; equals share their mean rank.
fn rank_correlation(pairs: &[[f64; 2]]) -> f64 {
    let ranks = |which: usize| -> Vec<f64> {
        let value = |pair: &[f64; 2]| pair[which];
        let rank = |of: &[f64; 2]| {
            let below = pairs.iter().filter(|pair| value(pair) < value(of)).count();
            let equal = pairs.iter().filter(|pair| value(pair) == value(of)).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        pairs.iter().map(rank).collect()
    };
    let (a, b) = (ranks(0), ranks(1));
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// A row a method: means over the clips, and the clip that came off worst.
fn methods(evaluation: &Evaluation) -> Table {
    let header = [
        "method",
        "J",
        "F",
        "F 2 px",
        "ΔJ&F",
        "flicker",
        "flicker cut",
        "instability",
        "worst ΔJ",
        "on clip",
        "clips that lag",
    ];
    let mut table = Table::new(header.map(String::from).to_vec());
    let raw = &evaluation.subjects[RAW_ROW].mean;
    // The raw masks stand first, to compare with; the default where the other forms of consensus are.
    let mut order: Vec<_> = (RAW_ROW..evaluation.subjects.len()).collect();
    let causal = order.iter().position(|&row| evaluation.subjects[row].name.starts_with("consensus"));
    order.insert(causal.map_or(order.len(), |causal| causal + 1), STEADY);
    for row in order {
        let subject = &evaluation.subjects[row];
        let show = |measure: Measure| measure.show(subject.mean.get(measure));
        let change = |measure: Measure| Some(subject.mean.get(measure)? - raw.get(measure)?);
        let flicker = raw.get(Measure::Flicker).zip(subject.mean.get(Measure::Flicker));
        let worst = evaluation
            .clips
            .iter()
            .map(|clip| (clip.gain(Measure::J, RAW_ROW, row).unwrap_or(0.0), clip))
            .min_by(|a, b| a.0.total_cmp(&b.0));
        let is_raw = row == RAW_ROW;
        let unless_raw = |text: String| if is_raw { String::new() } else { text };
        let name = if row == STEADY { format!("**{}**", subject.name) } else { subject.name.clone() };
        table.push(vec![
            name,
            show(Measure::J),
            show(Measure::F),
            show(Measure::FStrict),
            unless_raw(signed(change(Measure::JAndF))),
            show(Measure::Flicker),
            unless_raw(lowered(flicker.and_then(|(before, after)| cut_percent(before, after)))),
            show(Measure::Instability),
            unless_raw(signed(worst.map(|(gain, _)| gain))),
            unless_raw(worst.map(|(_, clip)| clip.name.clone()).unwrap_or_default()),
            show(Measure::Lag),
        ]);
    }
    table
}

/// A share that was cut, as a change.
fn lowered(percent: Option<f64>) -> String {
    percent.map_or("–".into(), |percent| format!("{:+.0} %", -percent).replace('-', "−"))
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Rows that are no methods, but for [`TRUTH`].
const TRIVIAL: [&str; 3] = ["frozen first mask", "empty", "exponential 0.1"];
const TRUTH: &str = "ground truth";

const ESTIMATE: &str = "
## The estimate without truth

Where there is no ground truth, the program estimates what masks are worth from the other frames and the picture's edges.
How well that tells what was gained: rank correlation (Spearman) of the estimated gain with the gain in J&F over the raw
masks, over clips × methods.

";

const INTRODUCTION: &str = "\
# How well it works

Made by `cargo xtask quality`; do not edit.

**The defaults were tuned on these very clips.** Expect less on others: this page tells how the methods compare with each
other, not what they gain on a video of yours. What was tried, and what leaving clips out of the tuning shows, is in
[docs/tuning.md](docs/tuning.md).

SEQUENCES sequences of DAVIS 2016 with FRAMES frames, masks of three networks. Everything is measured on whole-frame masks as the
program writes them: flow and fusion at 428×240, contours laid along the edges of the 854×480 frame.

- **J**, **F**: region and contour agreement with the ground truth, ×100, by DAVIS's formulas at 480p over all frames;
  **F 2 px** with contours that match within 2 pixels in place of 8. Higher is better.
- **flicker**: error that changes along motion, in shares of the object's area, at 428×240. Lower is better.
- **instability**: the classic change between neighbouring frames, ×100. It is here because people know it: a frozen mask
  scores 0 and the truth does not, so it must not rank.
- **worst ΔJ**: the clip on which a method does most harm, or least good. **clips that lag**: on how many clips the masks
  fit an earlier or a later frame best.

Raw masks are the network's probabilities over ½, enlarged. Frozen, empty, exponential 0.1 and ground truth are there to
hold the measures against.

## Method by method
";

const ATTRIBUTION: &str = "
Frames and ground truth: F. Perazzi, J. Pont-Tuset, B. McWilliams, L. Van Gool, M. Gross, A. Sorkine-Hornung, *A benchmark
dataset and evaluation methodology for video object segmentation*, CVPR 2016 (DAVIS 2016), CC BY 4.0; masks drawn on them
for this page.
";
