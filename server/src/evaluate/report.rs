//! Scores as tables, JSON and CSV.

use std::path::Path;

use serde::Serialize;

use super::{
    measure::{Measure, Scores},
    objects::Matching,
    plot::{self, Corner, Groups, Line, Point},
    track::{FrameScores, Track},
};
use crate::{Error, Result, picture::write_whole};

/// How it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Protocol {
    /// All objects of a clip counted as one.
    pub union: bool,
    /// The first and the last frame of each clip were left out.
    pub ends_skipped: bool,
    /// There were frames for all clips, so that what needs motion was measured.
    pub along_motion: bool,
    /// How objects were found to be those of the truth, where there were several; each way once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects_matched_by: Vec<Matching>,
}

/// Scores of masks on clips.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Version of the program.
    pub version: &'static str,
    /// How it was measured.
    pub protocol: Protocol,
    /// What was scored, and its means over the clips.
    pub subjects: Vec<SubjectMeans>,
    /// The clip with the lowest J&F of the first subject; where there are raw masks, that with the lowest gain in it.
    pub worst_clip: String,
    /// Clip by clip; where objects are scored apart, object by object.
    pub clips: Vec<ClipScores>,
}

/// What was scored.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectMeans {
    /// Its name.
    pub name: String,
    /// Means over the clips; for lag the number of clips that do.
    pub mean: Scores,
}

/// Scores on a clip, or on one object of it.
#[derive(Debug, Clone, Serialize)]
pub struct ClipScores {
    /// Name of the clip, with the object's index where it has several.
    pub name: String,
    /// Width of the truth in pixels.
    pub width: usize,
    /// Height of the truth in pixels.
    pub height: usize,
    /// What the frames are called.
    #[serde(rename = "frames")]
    pub stems: Vec<String>,
    /// An entry for each of [`Evaluation::subjects`].
    pub subjects: Vec<SubjectScores>,
}

/// Scores of one subject on one clip.
#[derive(Debug, Clone, Serialize)]
pub struct SubjectScores {
    /// Over the clip.
    pub scores: Scores,
    /// Frame by frame.
    pub frames: Vec<FrameScores>,
}

impl From<Track> for SubjectScores {
    fn from(track: Track) -> Self {
        let (scores, frames) = track.finish();
        Self { scores, frames }
    }
}

const ONE_GROUP: Groups<'_> = Groups { names: &[""], corner: Corner::UpperRight };

/// Name of the subject that others are compared with.
pub const RAW: &str = "raw";

impl Evaluation {
    /// From the scores of at least one clip.
    ///
    /// The first of `subjects` is the one that matters; it is compared with the one called [`RAW`], if there is one.
    pub fn new(protocol: Protocol, subjects: Vec<String>, clips: Vec<ClipScores>) -> Self {
        let mean = |subject: usize| Scores::mean(clips.iter().map(|clip| &clip.subjects[subject].scores));
        let subjects: Vec<_> =
            subjects.into_iter().enumerate().map(|(i, name)| SubjectMeans { name, mean: mean(i) }).collect();
        let raw = subjects.iter().position(|subject| subject.name == RAW);
        let merit = |clip: &ClipScores| match raw {
            Some(raw) => clip.gain(Measure::JAndF, raw, 0).unwrap_or(0.0),
            None => clip.subjects[0].scores.get(Measure::JAndF).unwrap_or(0.0),
        };
        let worst = clips.iter().min_by(|a, b| merit(a).total_cmp(&merit(b)));
        let worst_clip = worst.map(|clip| clip.name.clone()).unwrap_or_default();
        Self { version: env!("CARGO_PKG_VERSION"), protocol, subjects, worst_clip, clips }
    }

    /// Number of the subject that others are compared with, where it was scored.
    pub fn raw(&self) -> Option<usize> {
        self.subjects.iter().position(|subject| subject.name == RAW)
    }

    /// The means: a row a measure, a column a subject.
    pub fn means(&self) -> Table {
        let header = std::iter::once("mean over the clips".into()).chain(self.subjects.iter().map(|s| s.name.clone()));
        let mut table = Table::new(header.collect());
        for measure in Measure::ALL {
            let values: Vec<_> = self.subjects.iter().map(|subject| subject.mean.get(measure)).collect();
            if values.iter().any(Option::is_some) {
                let cells = values.into_iter().map(|value| measure.show(value));
                let title = format!("{}{}", measure.title(), measure.arrow());
                table.push(std::iter::once(title).chain(cells).collect());
            }
        }
        table
    }

    /// The clips: how the first subject fared on each, beside the raw masks where there are any.
    pub fn by_clip(&self) -> Table {
        const SHOWN: [Measure; 5] = [Measure::J, Measure::F, Measure::FStrict, Measure::Flicker, Measure::Lag];
        let raw = self.raw();
        let mut header = vec!["clip".into()];
        header.extend(["J", "F", "F 2 px", "flicker", "lag"].map(String::from));
        header.push(if raw.is_some() { "ΔJ&F" } else { "J&F" }.into());
        let mut table = Table::new(header);
        for clip in &self.clips {
            let cell = |measure: Measure| {
                let shown = |subject: usize| measure.show(clip.subjects[subject].scores.get(measure));
                raw.filter(|_| measure != Measure::Lag).map_or(shown(0), |raw| format!("{} → {}", shown(raw), shown(0)))
            };
            let mut row = vec![clip.name.clone()];
            row.extend(SHOWN.map(cell));
            row.push(match raw {
                Some(raw) => signed(clip.gain(Measure::JAndF, raw, 0)),
                None => Measure::JAndF.show(clip.subjects[0].scores.get(Measure::JAndF)),
            });
            table.push(row);
        }
        table
    }

    /// Both tables and what is to be known of them.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", self.means().text(), self.by_clip().text());
        text += &match self.clips.iter().find(|clip| clip.name == self.worst_clip).zip(self.raw()) {
            Some((clip, raw)) => {
                let [j, f] = [Measure::J, Measure::F].map(|measure| signed(clip.gain(measure, raw, 0)));
                format!("worst clip: {} (ΔJ {j}, ΔF {f})\n", clip.name)
            }
            None => format!("worst clip: {}\n", self.worst_clip),
        };
        if !self.protocol.along_motion {
            text += "without frames (--frames) flicker, false flips and motion-compensated instability are left out\n";
        }
        for matching in &self.protocol.objects_matched_by {
            text += &format!("objects were matched to those of the truth by {}\n", matching.words());
        }
        text + "↑ higher is better; ↓ lower is, at the same J&F: no mask, no flicker; rows without an arrow do not rank masks\n\
                J, F, VC, instability and estimate in hundredths; flicker and false flips in shares of the object's area; T \
                from 0 to 5\n"
    }

    /// Writes `evaluation.json`, `clips.csv`, `frames.csv` and the plots into `folder`.
    ///
    /// The plots are `plots/CLIP.svg`, J frame by frame, and where there are frames `trade-off.svg`, how good and how
    /// steady each of several subjects is, and, with raw masks, `gain.svg`, what was gained on each clip.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        let path = folder.join("evaluation.json");
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::io("write", &path)(e.into()))?;
        write_whole(&path, &json)?;
        let scores = self.clips.iter().flat_map(|clip| {
            clip.subjects.iter().zip(&self.subjects).map(|(scored, subject)| {
                let values = Measure::ALL.map(|measure| cell(scored.scores.get(measure)));
                [clip.name.clone(), subject.name.clone()].into_iter().chain(values).collect()
            })
        });
        let header = ["clip", "subject"].into_iter().chain(Measure::ALL.map(Measure::name));
        write_csv(&folder.join("clips.csv"), header, scores)?;
        let frames = self.clips.iter().flat_map(|clip| {
            clip.subjects.iter().zip(&self.subjects).flat_map(|(scored, subject)| {
                scored.frames.iter().zip(&clip.stems).map(|(frame, stem)| {
                    let names = [clip.name.clone(), stem.clone(), subject.name.clone()];
                    names.into_iter().chain(frame.values().map(|(_, value)| cell(value))).collect()
                })
            })
        });
        let columns = FrameScores::default().values().map(|(name, _)| name);
        let header = ["clip", "frame", "subject"].into_iter().chain(columns);
        write_csv(&folder.join("frames.csv"), header, frames)?;
        self.write_plots(folder)
    }

    fn write_plots(&self, folder: &Path) -> Result<()> {
        let plots = folder.join("plots");
        std::fs::create_dir_all(&plots).map_err(Error::io("create", &plots))?;
        for clip in &self.clips {
            let line = |subject: usize, quiet| Line {
                name: &self.subjects[subject].name,
                values: clip.subjects[subject].frames.iter().map(|frame| frame.j).collect(),
                quiet,
            };
            let lines: Vec<_> = self.raw().map(|raw| line(raw, true)).into_iter().chain([line(0, false)]).collect();
            let svg = plot::over_frames(&format!("{}, frame by frame", clip.name), "J", &lines);
            write_whole(&plots.join(format!("{}.svg", clip.name)), svg.as_bytes())?;
        }
        if !self.protocol.along_motion {
            return Ok(());
        }
        if let Some(raw) = self.raw() {
            let points = self.clips.iter().filter_map(|clip| {
                let flicker = |subject: usize| clip.subjects[subject].scores.get(Measure::Flicker);
                let gain = clip.gain(Measure::JAndF, raw, 0)?;
                Some(Point {
                    label: &clip.name,
                    group: 0,
                    x: cut_percent(flicker(raw)?, flicker(0)?)?,
                    y: 100.0 * gain,
                })
            });
            let axes = ["flicker cut, %", "J&F gained, points"];
            let svg = plot::scatter("What was gained, clip by clip", axes, &ONE_GROUP, &points.collect::<Vec<_>>());
            write_whole(&folder.join("gain.svg"), svg.as_bytes())?;
        }
        if self.subjects.len() < 2 {
            return Ok(());
        }
        let points = self.subjects.iter().filter_map(|subject| {
            let (x, y) = (subject.mean.get(Measure::Flicker)?, 100.0 * subject.mean.get(Measure::JAndF)?);
            let group = match subject.name.as_str() {
                name if name == self.subjects[0].name => 0,
                RAW => 1,
                _ => 2,
            };
            Some(Point { label: &subject.name, group, x, y })
        });
        let axes = ["flicker, share of the object's area", "J&F, hundredths"];
        // Good subjects lie to the left and above.
        let groups = Groups { names: &["scored", "before", "for comparison"], corner: Corner::LowerRight };
        let svg = plot::scatter("Good and steady: up and to the left", axes, &groups, &points.collect::<Vec<_>>());
        write_whole(&folder.join("trade-off.svg"), svg.as_bytes())
    }
}

impl ClipScores {
    /// By how much `measure` is higher for the subject `to` than for `from`.
    pub fn gain(&self, measure: Measure, from: usize, to: usize) -> Option<f64> {
        Some(self.subjects[to].scores.get(measure)? - self.subjects[from].scores.get(measure)?)
    }
}

/// By how many percent `after` is lower than `before`; `None` when there was nothing to lower.
pub fn cut_percent(before: f64, after: f64) -> Option<f64> {
    (before > 0.0).then(|| 100.0 * (before - after) / before)
}

/// A difference in hundredths, with its sign.
pub fn signed(difference: Option<f64>) -> String {
    difference.map_or("–".into(), |difference| format!("{:+.1}", 100.0 * difference).replace('-', "−"))
}

fn cell(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn write_csv<'a>(
    path: &Path,
    header: impl Iterator<Item = &'a str>,
    rows: impl Iterator<Item = Vec<String>>,
) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(header).and_then(|()| {
        for row in rows {
            writer.write_record(row)?;
        }
        Ok(())
    });
    let bytes = written.and_then(|()| writer.into_inner().map_err(|e| e.into_error().into()));
    write_whole(path, &bytes.map_err(|e| Error::io("write", path)(e.into()))?)
}

/// Words in rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With these words above its columns.
    pub fn new(header: Vec<String>) -> Self {
        Self { rows: vec![header] }
    }

    /// Adds a row of as many words.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// For a terminal: the first column to the left, the others to the right.
    pub fn text(&self) -> String {
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..self.rows[0].len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = format!("{:<1$}", row[0], widths[0]);
            for (word, width) in row.iter().zip(&widths).skip(1) {
                line += &format!("  {word:>width$}");
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    /// For Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (i, row) in self.rows.iter().enumerate() {
            text += &format!("| {} |\n", row.join(" | "));
            if i == 0 {
                text += &format!("| ---{} |\n", " | ---:".repeat(row.len() - 1));
            }
        }
        text
    }
}
