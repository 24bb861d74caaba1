//! A training, from pictures to a file of weights and its card.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use rand::{Rng, seq::SliceRandom};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{
    Error, Result, Watch, card,
    data::{Data, Part, Sample},
    evaluation::{Judge, Report},
    loss::{self, Loss, read},
    plot, state,
    state::State,
    views::{self, Views, random},
};
use crate::{
    classes,
    cpu::{Engine, Width},
    input,
    net::{Architecture, Network, OnBurn},
    remarks::Remarks,
    weights::{Array, StateDict},
};

/// Sides of the crops, in pixels; a step's pictures share one.
const SIDES: [usize; 6] = [241, 257, 273, 289, 305, 321];
/// Steps over which the rate rises at first, unless the run has fewer than ten times as many.
const WARM_UP: u64 = 50;
/// The power of the fall of the rate.
const DECAY: f32 = 0.9;
/// Shares of the trained weights that are tried; the rest are those that training began with. None at all is one of
/// them: training can make a network worse.
const SHARES: [f32; 6] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
/// Random numbers that belong to no picture.
const SIDE_SLOT: u64 = 0xfffe;
const ORDER_SLOT: u64 = 0xffff;

/// What a run's outcome depends on, besides its pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The same seed gives the same weights.
    pub seed: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Pictures a step, each in two views.
    pub batch: usize,
    /// Greatest step, in sizes of a tensor.
    pub rate: f32,
    /// Weight of background pixels in the cross-entropy; others have 1.
    pub background: f32,
    /// Weight of the divergence from the teacher.
    pub distillation: f32,
    /// How much larger the teacher sees a crop: what it makes out there, the network is to make out as well.
    pub enlargement: f32,
    /// Weight of the disagreement of two views.
    pub consistency: f32,
    /// Greatest side of a crop, in pixels.
    pub crop: usize,
}

impl Default for Recipe {
    /// That of the shipped network, as far as its card tells.
    fn default() -> Self {
        Self {
            seed: 11,
            steps: 1300,
            batch: 5,
            rate: 6e-4,
            background: 0.6,
            distillation: 1.0,
            enlargement: 1.0,
            consistency: 3.0,
            crop: 321,
        }
    }
}

impl Recipe {
    fn check(&self) -> Result<()> {
        let within = |name, value: f64, least: f64, greatest: f64| {
            let expected = format!("{least} to {greatest}");
            let fits = (least..=greatest).contains(&value);
            if fits { Ok(()) } else { Err(Error::Setting { name, value: value.to_string(), expected }) }
        };
        within("steps", self.steps as f64, 1.0, 1e7)?;
        within("batch", self.batch as f64, 1.0, 64.0)?;
        within("rate", f64::from(self.rate), 1e-7, 0.1)?;
        within("background", f64::from(self.background), 0.0, 10.0)?;
        within("distillation", f64::from(self.distillation), 0.0, 100.0)?;
        within("enlargement", f64::from(self.enlargement), 0.5, 4.0)?;
        within("consistency", f64::from(self.consistency), 0.0, 100.0)?;
        within("crop", self.crop as f64, 65.0, 1025.0)?;
        match (self.crop - 1) % 16 {
            0 => Ok(()),
            _ => {
                let expected = "a number of the form 16k + 1".into();
                Err(Error::Setting { name: "crop", value: self.crop.to_string(), expected })
            }
        }
    }

    fn rate(&self, step: u64) -> f32 {
        let rising = (step + 1) as f32 / WARM_UP.min(self.steps.div_ceil(10)) as f32;
        self.rate * rising.min(1.0) * (1.0 - step as f32 / self.steps as f32).powf(DECAY)
    }

    /// The side of a step's crops: one of [`SIDES`] that is no larger than asked for, or just that.
    fn side(&self, step: u64) -> usize {
        let sides: Vec<usize> = SIDES.into_iter().filter(|&side| side <= self.crop).collect();
        match sides.len() {
            0 => self.crop,
            count => sides[random(self.seed, step, SIDE_SLOT).random_range(0..count)],
        }
    }
}

/// What to do, and with what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folders and zip archives with pictures and masks.
    pub data: Vec<PathBuf>,
    /// Names of pictures that begin so are learned from the teacher alone.
    pub unlabelled: Vec<String>,
    /// Weights to begin with, of the default network's architecture; `None` for the default network itself.
    pub start: Option<PathBuf>,
    /// Weights of any network known that tells the same classes apart; `None` for the start itself.
    pub teacher: Option<PathBuf>,
    /// Names of other classes, the background first: the last layer begins anew.
    pub classes: Option<Vec<String>>,
    /// Where everything is written.
    pub out: PathBuf,
    /// How it is done.
    pub recipe: Recipe,
    /// Steps between two checkpoints.
    pub checkpoint: u64,
    /// Most kept-out pictures of each source, for each half, in the final score.
    pub most: usize,
}

/// Measures weights on the kept-out pictures, writes `evaluation.json`, `scores.md` and `reliability.svg`, and returns the scores as text.
///
/// # Errors
/// [`Error`].
pub fn evaluate(options: &Options, watch: &Watch<'_>) -> Result<String> {
    let start = start(options)?;
    let classes = classes_of(&start)?;
    let data = find(options, watch)?;
    fs::create_dir_all(&options.out).map_err(|e| Error::file(&options.out, e))?;
    let judge = Judge { data: &data, classes, most: options.most, seed: options.recipe.seed, watch };
    let report = judge.report(&start)?;
    write_report(&options.out, &report)?;
    let named = Remarks::of(&start, classes)?.classes.unwrap_or_else(|| classes::named(classes));
    let scores = card::scores(&[("these weights", &report)], &named);
    state::write_whole(&options.out.join("scores.md"), scores.as_bytes())?;
    Ok(scores)
}

/// Trains, and goes on where a run with the same options was cut. Returns the path of the weights and the scores as text.
///
/// In the folder `out` there will be `checkpoint.safetensors`, `log.jsonl` with a line a step, `curves.svg`,
/// `weights.f16.safetensors`, `MODEL_CARD.md`, `evaluation.json` and `reliability.svg`.
///
/// # Errors
/// [`Error`]; [`Error::Cancelled`] leaves a checkpoint.
pub fn train(options: &Options, watch: &Watch<'_>) -> Result<(PathBuf, String)> {
    let recipe = &options.recipe;
    recipe.check()?;
    if options.checkpoint == 0 {
        return Err(Error::Setting { name: "checkpoint", value: "0".into(), expected: "1 or more".into() });
    }
    let mut start = start(options)?;
    let mut named = Remarks::of(&start, classes_of(&start)?)?.classes;
    if let Some(classes) = &options.classes {
        new_head(&mut start, classes.len(), recipe.seed)?;
        named = Some(classes.clone());
    }
    let classes = classes_of(&start)?;
    let named = named.unwrap_or_else(|| classes::named(classes));
    let data = find(options, watch)?;
    let teacher = teacher(options, &start, classes)?;
    let samples: Vec<&Sample> =
        data.of(Part::Training).filter(|sample| sample.is_labelled() || teacher.is_some()).collect();
    if samples.is_empty() {
        let reason = "no picture is left to learn from: all are kept out, or nearly equal to one that is".into();
        return Err(Error::Data { what: data.sources.join(", "), reason });
    }
    fs::create_dir_all(&options.out).map_err(|e| Error::file(&options.out, e))?;
    let run = run_name(options, &data, &start)?;
    let checkpoint = options.out.join("checkpoint.safetensors");
    let mut state = State::load(&checkpoint, &run)?.unwrap_or_else(|| State::new(&start));
    let mut log = Log::open(options.out.join("log.jsonl"), state.step)?;
    let judge = |most| Judge { data: &data, classes, most, seed: recipe.seed, watch };

    watch.stage("training", recipe.steps as usize);
    watch.skip(state.step as usize);
    while state.step < recipe.steps {
        let (step, rate) = (state.step, recipe.rate(state.step));
        let (loss, gradients) = learn(recipe, step, &samples, classes, &state.weights, teacher.as_ref())?;
        let values = [loss.labels, loss.distillation, loss.consistency];
        if !values.iter().all(|value| value.is_finite()) {
            return Err(Error::Diverged { step });
        }
        let gradient = state.update(&gradients, rate);
        let [labels, distillation, consistency] = values;
        log.write(&Line { step, rate, labels, distillation, consistency, gradient })?;
        watch.note(format!("labels {labels:.3}, views apart {consistency:.3}"));
        let cancelled = watch.advance(1);
        let due = state.step.is_multiple_of(options.checkpoint) || state.step == recipe.steps;
        if due || cancelled.is_err() {
            state.save(&checkpoint, &run)?;
        }
        cancelled?;
    }
    plot::write(&options.out.join("curves.svg"), plot::curves(&log.lines))?;

    // How much of what was learned is kept is chosen on one half of the kept-out pictures, all else measured on the other.
    let mut tried = Vec::new();
    for share in SHARES {
        let mixed = state::mixed(&state.average, &start, if options.classes.is_some() { 1.0 } else { share });
        tried.push((share, judge(options.most).mean(&mixed, Part::Choosing)?));
        if options.classes.is_some() {
            tried[0].0 = 1.0;
            break;
        }
    }
    let share = tried.iter().fold((1.0, f64::NEG_INFINITY), |best, &(s, m)| if m > best.1 { (s, m) } else { best }).0;
    let weights = state::mixed(&state.average, &start, share);
    // What is measured is what is written: 16 bits.
    let rounded = StateDict::from_safetensors(&weights.to_half_safetensors(("rounded", ""))?)?;
    let report = judge(options.most).report(&rounded)?;
    let before = match options.classes {
        Some(_) => None,
        None => Some(judge(options.most).report(&start)?),
    };
    let remarks = Remarks {
        classes: Some(named.clone()),
        temperatures: Some(report.temperatures.iter().map(|&t| t as f32).collect()),
    };
    let path = options.out.join("weights.f16.safetensors");
    let json = serde_json::to_string(&remarks).map_err(|e| Error::file(&path, e))?;
    state::write_whole(&path, &rounded.to_half_safetensors((Remarks::KEY, &json))?)?;
    write_report(&options.out, &report)?;
    let told = card::Card {
        options,
        data: &data,
        classes: &named,
        share,
        tried: &tried,
        before: before.as_ref(),
        after: &report,
    };
    state::write_whole(&options.out.join("MODEL_CARD.md"), told.text().as_bytes())?;
    let mut compared = vec![("these weights", &report)];
    compared.extend(before.as_ref().map(|before| ("the start", before)));
    Ok((path, card::scores(&compared, &named)))
}

fn write_report(folder: &Path, report: &Report) -> Result<()> {
    let path = folder.join("evaluation.json");
    let json = serde_json::to_string_pretty(report).map_err(|e| Error::file(&path, e))?;
    state::write_whole(&path, json.as_bytes())?;
    plot::write(&folder.join("reliability.svg"), plot::reliability(&report.raw, &report.calibrated))
}

/// The weights to begin with, of the default network's architecture.
fn start(options: &Options) -> Result<StateDict> {
    let weights = match &options.start {
        Some(path) => StateDict::from_file(path)?,
        None => StateDict::from_safetensors(crate::weights::embedded::SAFETENSORS)?,
    };
    Network::named(&weights)?;
    Ok(weights)
}

fn classes_of(weights: &StateDict) -> Result<usize> {
    Ok(Network::load(weights)?.classes())
}

fn find(options: &Options, watch: &Watch<'_>) -> Result<Data> {
    watch.stage("looking at the pictures", 1);
    let data = Data::find(&options.data, &options.unlabelled)?;
    watch.advance(1)?;
    let held = [Part::Choosing, Part::Scoring].map(|part| data.labelled(part, options.most).len());
    if held.contains(&0) {
        let reason = format!(
            "{} kept-out pictures to choose settings on and {} to measure on (expected some of both: more pictures, or a \
             folder val with pictures of other clips)",
            held[0], held[1]
        );
        return Err(Error::Data { what: data.sources.join(", "), reason });
    }
    for (twin, held) in data.twins.iter().take(3) {
        watch.note(format!("{twin} is left out: it is nearly equal to {held}, which is kept out of training"));
    }
    Ok(data)
}

/// A network that says what is to be learned.
struct Teacher {
    architecture: &'static Architecture,
    engine: Engine,
}

impl Teacher {
    fn new(weights: &StateDict, classes: usize) -> Result<Self> {
        let network = Network::load(weights)?;
        if network.classes() != classes {
            let (value, expected) =
                (format!("one of {} classes", network.classes()), format!("one of {classes} classes"));
            return Err(Error::Setting { name: "teacher", value, expected });
        }
        Ok(Self { architecture: network.architecture, engine: Engine::new(network.graph(), Width::best()) })
    }
}

/// The start, or a network that was named; `None` where the classes are new ones.
fn teacher(options: &Options, start: &StateDict, classes: usize) -> Result<Option<Teacher>> {
    match &options.teacher {
        Some(path) => Teacher::new(&StateDict::from_file(path)?, classes).map(Some),
        None if options.classes.is_none() && options.recipe.distillation > 0.0 => {
            Teacher::new(start, classes).map(Some)
        }
        None => Ok(None),
    }
}

/// Puts a last layer for so many classes in the place of the old one; its weights are as small as theirs.
fn new_head(weights: &mut StateDict, classes: usize, seed: u64) -> Result<()> {
    if !(2..=255).contains(&classes) {
        let expected = "2 to 255, the background first".into();
        return Err(Error::Setting { name: "classes", value: classes.to_string(), expected });
    }
    let old = weights.get("classifier.predict.weight");
    let inputs = old.and_then(|array| array.shape.get(1)).copied().unwrap_or_default();
    let mut random = random(seed, 0, ORDER_SLOT - 2);
    let bound = (3.0 / inputs.max(1) as f32).sqrt();
    let values = (0..classes * inputs).map(|_| random.random_range(-bound..bound)).collect();
    weights.set("classifier.predict.weight".into(), Array { shape: vec![classes, inputs, 1, 1], values });
    weights.set("classifier.predict.bias".into(), Array { shape: vec![classes], values: vec![0.0; classes] });
    Ok(())
}

/// What a checkpoint must agree with.
fn run_name(options: &Options, data: &Data, start: &StateDict) -> Result<String> {
    use sha2::{Digest, Sha256};
    let recipe = serde_json::to_string(&options.recipe).map_err(|e| Error::file(&options.out, e))?;
    let mut of = Sha256::new();
    of.update(start.to_safetensors(("start", ""))?);
    if let Some(teacher) = &options.teacher {
        of.update(fs::read(teacher).map_err(|e| Error::file(teacher, e))?);
    }
    let networks: String = of.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{recipe}, pictures {}, networks {networks}", data.fingerprint()))
}

/// One step's loss, and the gradient to each of the network's tensors.
fn learn(
    recipe: &Recipe,
    step: u64,
    samples: &[&Sample],
    classes: usize,
    weights: &StateDict,
    teacher: Option<&Teacher>,
) -> Result<(Loss, BTreeMap<String, Vec<f32>>)> {
    let side = recipe.side(step);
    let views = (0..recipe.batch)
        .into_par_iter()
        .map(|slot| {
            let sample = pick(recipe.seed, step * recipe.batch as u64 + slot as u64, samples);
            let picture = sample.picture(classes)?;
            Ok(views::of(&picture, side, &mut random(recipe.seed, step, slot as u64)))
        })
        .collect::<Result<Vec<Views>>>()?;
    let told = teacher.map(|Teacher { architecture, engine }| {
        let larger = 16 * ((side - 1) as f32 * recipe.enlargement / 16.0).round().max(1.0) as usize + 1;
        let size = (larger, larger);
        let clean = views.iter().map(|views| input::scaled(&views.clean, size, architecture.preparation.scaling));
        let logits = engine.run(&architecture.preparation.normalization.batch(clean, size)).swap_remove(0);
        let logits = Tensor::from_data(TensorData::new(logits.values, logits.shape), &Device::flex());
        let (logits, _) = loss::at_points(logits, architecture.alignment, side, &vec![(0, 0); views.len()]);
        log_softmax(logits, 1)
    });
    let (network, names) = Network::named(weights)?;
    let (tracked, parameters) = OnBurn::tracked(network.graph());
    let both: Vec<_> =
        (0..2).flat_map(|view| views.iter().map(move |views| Cow::Borrowed(&views.seen[view]))).collect();
    let Architecture { preparation, alignment, .. } = network.architecture;
    let logits = tracked.forward(preparation.normalization.batch(both.into_iter(), (side, side)));
    let shifts: Vec<_> = views.iter().map(|_| (0, 0)).chain(views.iter().map(|views| views.truth.shift)).collect();
    let (logits, inside) = loss::at_points(logits, *alignment, side, &shifts);
    let truths: Vec<_> = views.into_iter().map(|views| views.truth).collect();
    let parts = loss::Weights {
        background: recipe.background,
        distillation: recipe.distillation,
        consistency: recipe.consistency,
    };
    let loss = loss::loss(logits, &inside, &truths, told, parts);
    let mut found = loss.total.backward();
    let mut gradients = BTreeMap::new();
    for (name, (weight, bias)) in names.into_iter().zip(parameters) {
        let (weight, bias) = (weight.grad_remove(&mut found), bias.grad_remove(&mut found));
        gradients.extend(weight.map(|g| (format!("{name}.weight"), read(g))));
        gradients.extend(bias.map(|g| (format!("{name}.bias"), read(g))));
    }
    Ok((loss, gradients))
}

/// The picture that comes at that place of all that a run sees: each once, in an order of chance, then again in another.
fn pick<'a>(seed: u64, place: u64, samples: &[&'a Sample]) -> &'a Sample {
    let count = samples.len() as u64;
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.shuffle(&mut random(seed, place / count, ORDER_SLOT));
    samples[order[(place % count) as usize]]
}

/// What is written about a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) step: u64,
    pub(super) rate: f32,
    pub(super) labels: f32,
    pub(super) distillation: f32,
    pub(super) consistency: f32,
    pub(super) gradient: f32,
}

/// A line of JSON a step.
struct Log {
    path: PathBuf,
    file: fs::File,
    lines: Vec<Line>,
}

impl Log {
    /// Opens the log of a run that has done so many steps; what it says of later ones is dropped.
    fn open(path: PathBuf, steps: u64) -> Result<Self> {
        let wrong = |e: std::io::Error| Error::file(&path, e);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(wrong(e)),
        };
        let parsed = text.lines().filter_map(|line| Some((line, serde_json::from_str::<Line>(line).ok()?)));
        let (kept, lines): (Vec<&str>, Vec<Line>) = parsed.filter(|(_, line)| line.step < steps).unzip();
        let kept: String = kept.iter().map(|line| format!("{line}\n")).collect();
        state::write_whole(&path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(wrong)?;
        Ok(Self { path, file, lines })
    }

    fn write(&mut self, line: &Line) -> Result<()> {
        let json = serde_json::to_string(line).map_err(|e| Error::file(&self.path, e))?;
        writeln!(self.file, "{json}").map_err(|e| Error::file(&self.path, e))?;
        self.lines.push(line.clone());
        Ok(())
    }
}
