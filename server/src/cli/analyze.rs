use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use steadymask_models::{Classifier, DeviceChoice, Framing};

use super::{
    model,
    progress::{self, Meter},
};
use crate::{
    Error,
    cars::{Analyzer, Question, clip, heat, models},
    error::name_of,
    library::Library,
    picture,
    run::Controls,
    source::{Source, stem_of},
    video,
};

/// Tell whether the car in a picture or clip is clean and intact, by classifiers of your own.
///
/// Prints one line of JSON for each input; on failure {"error": …}, and the exit status is not 0.
#[derive(clap::Args)]
pub struct Args {
    /// Pictures (PNG, JPEG), videos, or folders of frames, which are clips.
    #[arg(required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    networks: Networks,
    /// The segmentation network that finds the car [default: the one built in].
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Where that runs: auto, cpu, cuda, vulkan or webgpu. The classifiers run on the CPU.
    #[arg(long, default_value = "auto", value_name = "NAME")]
    device: DeviceChoice,
    /// Show the classifiers nothing but the car, as the segmentation network sees it.
    #[arg(long)]
    car_only: bool,
    /// Write what the verdict hangs on into --out: for a picture a heat map for each classifier, NAME-QUESTION.png.
    #[arg(long, requires = "out", conflicts_with = "server")]
    heat: bool,
    /// Where --heat goes, and of clips the plots, NAME-QUESTION.svg, and the figures of every frame, NAME.json.
    #[arg(short, long, value_name = "FOLDER", conflicts_with = "server")]
    out: Option<PathBuf>,
    /// Most frames of a clip that are looked at, evenly spaced.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    frames: u32,
    /// Print words for people in place of JSON.
    #[arg(long)]
    text: bool,
    /// Send pictures to a running server, which has its networks loaded, as http://localhost:8000.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

/// The networks that answer questions about cars.
#[derive(clap::Args)]
pub struct Networks {
    /// The network that tells clean from dirty: a name that is kept, a .pth or .safetensors file, or none [default:
    /// cleanliness_model, kept or here].
    #[arg(long, value_name = "NAME")]
    cleanliness: Option<String>,
    /// The network that tells intact from damaged [default: condition_model, kept or here].
    #[arg(long, value_name = "NAME")]
    condition: Option<String>,
    /// How they are shown pictures: squeeze (all of it, as a square) or middle (torchvision's preset) [default: what the
    /// network's card says, else squeeze].
    #[arg(long, value_name = "HOW")]
    framing: Option<Framing>,
}

impl Networks {
    /// Loads them.
    fn open(&self, library: &Library) -> anyhow::Result<Vec<(Question, Classifier)>> {
        let mut classifiers = Vec::new();
        for (question, name) in self.named() {
            if let Some(classifier) = models::find(question, name, self.framing, library)? {
                classifiers.push((question, classifier));
            }
        }
        Ok(classifiers)
    }

    /// Loads those that are named, or lie where they are looked for.
    ///
    /// # Errors
    /// When one that is named, or lies there, cannot be used.
    pub(super) fn open_those_there(&self, library: &Library) -> anyhow::Result<Vec<(Question, Classifier)>> {
        let mut classifiers = Vec::new();
        for (question, name) in self.named() {
            match models::find(question, name, self.framing, library) {
                Ok(found) => classifiers.extend(found.map(|classifier| (question, classifier))),
                Err(Error::NoClassifier { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(classifiers)
    }

    fn named(&self) -> [(Question, Option<&str>); 2] {
        [(Question::Cleanliness, self.cleanliness.as_deref()), (Question::Condition, self.condition.as_deref())]
    }
}

/// Runs the command. What fails is printed as JSON, too; the error that is returned has been told.
///
/// # Errors
/// When an input cannot be judged.
pub fn run(args: Args) -> anyhow::Result<()> {
    let told = judge_all(&args);
    if let Err(error) = &told
        && error.downcast_ref::<Failed>().is_none()
    {
        print(&failure(error))?;
    }
    told
}

/// That inputs could not be judged; why was told for each, as JSON.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failed(String);

fn failure(error: &anyhow::Error) -> Value {
    json!({ "error": format!("{error:#}") })
}

/// What judges an input.
type Judge<'a> = Box<dyn Fn(&Path) -> anyhow::Result<Value> + 'a>;

fn judge_all(args: &Args) -> anyhow::Result<()> {
    let judge: Judge<'_> = match &args.server {
        Some(url) => {
            let car_only = args.car_only;
            Box::new(move |input| ask(url, input, car_only))
        }
        None => {
            let classifiers = args.networks.open(&Library::open()?)?;
            if classifiers.is_empty() {
                bail!("there is nothing to ask: both --cleanliness and --condition are none");
            }
            for (question, classifier) in &classifiers {
                let info = classifier.info();
                eprintln!("{}: {} ({})", question.name(), info.name, info.architecture);
            }
            let analyzer = Analyzer::new(classifiers, model::open(args.model.as_deref(), args.device)?)?;
            if let Some(out) = &args.out {
                std::fs::create_dir_all(out).map_err(Error::io("create", out))?;
            }
            let cancel = progress::cancel_on_interrupt()?;
            Box::new(move |input| match is_picture(input) {
                true => {
                    cancel.check()?;
                    of_picture(&analyzer, input, args)
                }
                false => {
                    video::require_tools()?;
                    let source = Source::open(input)?;
                    let meter = Meter::new(source.frames().min(args.frames as usize));
                    let controls = Controls { progress: &|progress| meter.show(progress), cancel: &cancel };
                    let clip = clip::analyze(&analyzer, &source, args.car_only, args.frames as usize, &controls)?;
                    meter.finish();
                    if let Some(out) = &args.out {
                        write_clip(&clip, &analyzer, &out.join(stem_of(input)))?;
                    }
                    Ok(serde_json::to_value(&clip)?)
                }
            })
        }
    };
    let several = args.inputs.len() > 1;
    let mut reasons = Vec::new();
    for input in &args.inputs {
        let mut answer = match judge(input) {
            Ok(answer) => answer,
            Err(error) if matches!(error.downcast_ref(), Some(Error::Cancelled)) => return Err(error),
            Err(error) => {
                reasons.push(format!("{error:#}"));
                failure(&error)
            }
        };
        if several {
            answer["image"] = name_of(input).into();
        }
        if args.text && answer.get("error").is_none() {
            std::io::stdout().write_all(in_words(&answer, input).as_bytes()).context("cannot print the answer")?;
        } else {
            print(&answer)?;
        }
    }
    match (reasons.pop(), several) {
        (None, _) => Ok(()),
        (Some(reason), false) => Err(Failed(reason).into()),
        (Some(_), true) => {
            let (failed, total) = (reasons.len() + 1, args.inputs.len());
            Err(Failed(format!("{failed} of {total} could not be judged")).into())
        }
    }
}

fn print(answer: &Value) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{answer}").context("cannot print the answer")
}

fn is_picture(input: &Path) -> bool {
    let ending = input.extension().unwrap_or_default().to_ascii_lowercase();
    !input.is_dir() && ["png", "jpg", "jpeg"].iter().any(|known| ending == *known)
}

fn of_picture(analyzer: &Analyzer, input: &Path, args: &Args) -> anyhow::Result<Value> {
    let start = Instant::now();
    let picture = picture::read_rgb(input)?;
    let examined = analyzer.examine(&picture, args.car_only)?;
    let analysis = Analyzer::analysis(&examined, args.car_only, start);
    let mut answer = serde_json::to_value(&analysis)?;
    if let (true, Some(out)) = (args.heat, &args.out) {
        for (question, map) in analyzer.heat(&examined)? {
            let path = out.join(format!("{}-{}.png", stem_of(input), question.name()));
            picture::write_rgb(&path, &heat::draw(&examined.shown, &map))?;
            answer["heat"][question.name()] =
                json!({ "file": path.display().to_string(), "greatestFall": map.greatest });
        }
    }
    Ok(answer)
}

fn write_clip(clip: &clip::ClipAnalysis, analyzer: &Analyzer, stem: &Path) -> anyhow::Result<()> {
    let beside = |ending: &str| {
        let mut path = stem.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    for question in analyzer.questions() {
        if let Some(svg) = clip.plot(question) {
            picture::write_whole(&beside(&format!("-{}.svg", question.name())), svg.as_bytes())?;
        }
    }
    picture::write_whole(&beside(".json"), &serde_json::to_vec_pretty(clip)?)?;
    Ok(())
}

/// Sends a picture to a server.
fn ask(url: &str, input: &Path, car_only: bool) -> anyhow::Result<Value> {
    if !is_picture(input) {
        bail!("{} is no picture (expected .png, .jpg or .jpeg); a server judges pictures alone", name_of(input));
    }
    let bytes = std::fs::read(input).map_err(Error::io("read", input))?;
    // Long enough that no picture holds it by chance.
    let edge = format!("steadymask-{}", uuid::Uuid::new_v4());
    let name: String = name_of(input).chars().filter(|c| !matches!(c, '"' | '\r' | '\n')).collect();
    let head = format!(
        "--{edge}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"{name}\"\r\nContent-Type: \
         application/octet-stream\r\n\r\n"
    );
    let form = [head.as_bytes(), &bytes, format!("\r\n--{edge}--\r\n").as_bytes()].concat();
    let address = format!("{}/analyze{}", url.trim_end_matches('/'), if car_only { "?car_only=true" } else { "" });
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let kind = format!("multipart/form-data; boundary={edge}");
    let request = agent.post(&address).header("Content-Type", &kind);
    let mut response = request.send(&form).with_context(|| format!("cannot ask {address}"))?;
    let text = response.body_mut().read_to_string().with_context(|| format!("cannot read the answer of {address}"))?;
    let answer: Value = serde_json::from_str(&text)
        .with_context(|| format!("{address} answered {}, which is no JSON", response.status()))?;
    match answer.get("error") {
        Some(error) => bail!("{}", error.as_str().unwrap_or("the server gave no reason")),
        None => Ok(answer),
    }
}

/// The answer for people.
fn in_words(answer: &Value, input: &Path) -> String {
    let mut text = format!("{}\n", input.display());
    for question in Question::ALL {
        let name = question.name();
        if let (Some(word), Some(confidence)) = (answer[name].as_str(), answer[format!("{name}Confidence")].as_f64()) {
            // Nothing is certain: what rounds to it is told as a little less.
            text += &format!("  {name:<12} {word}, {:.1} %\n", (100.0 * confidence).min(99.9));
        }
    }
    let car = &answer["car"];
    let share = 100.0 * car["share"].as_f64().unwrap_or(0.0);
    text += &match car["found"].as_bool() {
        Some(true) => format!("  {:<12} found, {share:.0} % of the picture\n", "car"),
        _ => format!("  {:<12} not found\n", "car"),
    };
    if let Some(frames) = answer["frames"].as_array() {
        text += &format!("  {:<12} {} of {} looked at\n", "frames", frames.len(), answer["framesTotal"]);
    }
    for agreement in answer["agreement"].as_array().into_iter().flatten() {
        let share = 100.0 * agreement["share"].as_f64().unwrap_or(0.0);
        text += &format!(
            "  {:<12} {share:.0} % of the frames, by weight, on {}\n",
            "agreement",
            agreement["question"].as_str().unwrap_or_default()
        );
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        text += &format!("  note: {}\n", warning.as_str().unwrap_or_default());
    }
    text
}
