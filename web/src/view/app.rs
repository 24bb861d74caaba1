use std::rc::Rc;

use gloo_events::EventListener;
use gloo_timers::callback::Timeout;
use steadymask_core::{Settings, auto::Proposal};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{File, HtmlElement, window};
use yew::prelude::*;

use super::{
    facts::Facts,
    form::{self, Form},
    header::Header,
    keys::{self, Key},
    network::{Loading, LoadingView, NetworkView},
    platform,
    problem::{self, Problem, ProblemView},
    results::{Downloads, Metrics},
    series::Series,
    settings::{SettingsView, class_refusal},
    stability::{Charted, Stability},
    trade_off::TradeOff,
    viewer::{Shown, Viewer},
    welcome::Welcome,
};
use crate::{
    engine::{
        Engine,
        protocol::{
            Clip, Command, Event, ExportKind, Failure, FailureCode, Finished, Picture, Progress, Ready, Weights,
        },
    },
    i18n::{Language, Texts, fill},
    ui::{self, FileButton, Icon, IconName, dropped_file, format, milestone},
};

/// Name of the sample, which lies beside the page.
const SAMPLE: &str = "sample.mp4";
/// Id of the heading that names the video.
const VIDEO_NAME: &str = "video-name";
/// The parameter of the page's address that names a network: a SHA-256, or where its file is.
const MODEL: &str = "model";
/// Ending of files of weights.
const WEIGHTS: &str = ".safetensors";
/// Seconds between two drawings of a run that goes on.
const REDRAW_SECONDS: f64 = 0.1;
/// Seconds between the frames shown of a run that goes on: decoding them takes time from it.
const FOLLOW_SECONDS: f64 = 0.5;

/// Makes the engine that a page works with, given where its events go.
#[derive(Clone)]
pub struct Connect(Rc<dyn Fn(Callback<Event>) -> Rc<dyn Engine>>);

impl Connect {
    /// Made by `connect`.
    pub fn new(connect: impl Fn(Callback<Event>) -> Rc<dyn Engine> + 'static) -> Self {
        Self(Rc::new(connect))
    }
}

impl PartialEq for Connect {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

/// See [`App`].
#[derive(Properties, PartialEq)]
pub struct AppProps {
    /// What does the work.
    pub connect: Connect,
}

/// What happened to the page.
pub enum Message {
    /// The engine said something.
    Engine(Event),
    /// A video was dropped or picked.
    File(File),
    /// The sample is wanted.
    Sample,
    /// The sample is here, or why it is not.
    SampleFetched(Result<File, String>),
    /// Another network is wanted.
    Use(Weights),
    /// The network of this SHA-256 is to be kept no longer.
    Forget(String),
    /// Settings were changed.
    Edit(Form),
    /// *Stabilize video* was pressed.
    Start,
    /// *Cancel* was pressed.
    Cancel,
    /// A file is wanted.
    Export(ExportKind),
    /// A frame was chosen.
    Show(usize),
    /// Play, or pause.
    Play,
    /// The frame shown has stood long enough.
    NextFrame,
    /// A key that no control took.
    Key(Key),
    /// Another language was chosen.
    Speak(Language),
    /// The problem was read.
    Dismiss,
    /// Load the page again.
    Reload,
}

/// What the page is about now.
enum Stage {
    Empty,
    /// The sample is being fetched.
    Fetching,
    /// The engine looks at the video.
    Opening,
    Opened,
    Running(Option<Progress>),
    Finished(Box<Finished>),
}

impl Stage {
    /// The name in the page's `data-stage`.
    fn name(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fetching | Self::Opening => "opening",
            Self::Opened => "opened",
            Self::Running(_) => "running",
            Self::Finished(_) => "finished",
        }
    }
}

/// An open video with what is known and shown of it.
struct Video {
    clip: Clip,
    series: Series,
    /// The series as plotted last.
    charted: Charted,
    /// When it was plotted during a run, in seconds.
    charted_at: f64,
    /// The settings of the run that the series is of, as asked for.
    ran_with: Option<Settings>,
    /// What was tried before that run.
    proposal: Option<Rc<Proposal>>,
    current: usize,
    shown: Option<Shown>,
    /// When a frame was last asked for, in seconds.
    asked_at: f64,
    /// Whether a frame asked for has not come yet.
    awaited: bool,
    /// Whether the frame shown is the latest finished one of a run that goes on.
    follow: bool,
}

impl Video {
    fn new(clip: Clip) -> Self {
        let charted = Charted::new(Series::default(), clip.frames);
        Self {
            clip,
            charted,
            charted_at: 0.0,
            series: Series::default(),
            ran_with: None,
            proposal: None,
            current: 0,
            shown: None,
            asked_at: 0.0,
            awaited: false,
            follow: false,
        }
    }

    /// Forgets what an earlier run left.
    fn restart(&mut self, settings: Option<Settings>) {
        self.follow = settings.is_some();
        self.ran_with = settings;
        self.proposal = None;
        self.series = Series::default();
        self.chart();
    }

    fn chart(&mut self) {
        self.charted = Charted::new(self.series.clone(), self.clip.frames);
    }
}

/// The page. Holds all state; its views get values and give messages.
pub struct App {
    engine: Rc<dyn Engine>,
    language: Language,
    form: Form,
    ready: Option<Ready>,
    stage: Stage,
    /// Name of the video that is open or being opened.
    name: String,
    video: Option<Video>,
    problem: Option<Problem>,
    /// Why the engine could not start: it will answer nothing.
    broken: Option<Failure>,
    busy: Option<(ExportKind, f64)>,
    /// How far another network is that was asked for.
    loading: Option<Loading>,
    /// Present while playing; counts down to the next frame once one is shown.
    player: Option<Option<Timeout>>,
    /// The element to which the keyboard's place, and with it the view, is to be moved: something has appeared there,
    /// or the control that had it is gone.
    focus: Option<&'static str>,
    /// Listens while a video is open.
    keys: Option<EventListener>,
}

impl Component for App {
    type Message = Message;
    type Properties = AppProps;

    fn create(context: &Context<Self>) -> Self {
        let query = platform::query();
        let preferred = platform::preferred_languages();
        let language = form::parameter(&query, "lang")
            .and_then(|tag| Language::from_tag(&tag))
            .unwrap_or_else(|| Language::choose(preferred.iter().map(String::as_str)));
        let engine = (context.props().connect.0)(context.link().callback(Message::Engine));
        let weights = form::parameter(&query, MODEL).map(weights_of);
        let loading = weights.is_some().then(Loading::default);
        weights.into_iter().for_each(|weights| engine.send(Command::Use(weights)));
        Self {
            engine,
            language,
            form: Form::from_query(&query),
            ready: None,
            stage: Stage::Empty,
            name: String::new(),
            video: None,
            problem: None,
            broken: None,
            busy: None,
            loading,
            player: None,
            focus: None,
            keys: None,
        }
    }

    fn update(&mut self, context: &Context<Self>, message: Message) -> bool {
        match message {
            Message::Engine(event) => return self.hear(context, event),
            Message::File(file) if file.name().to_ascii_lowercase().ends_with(WEIGHTS) => {
                if self.loading.is_some() || self.busy.is_some() || matches!(self.stage, Stage::Running(_)) {
                    return false;
                }
                self.use_weights(Weights::File(file.into()));
            }
            Message::File(file) => self.open(file),
            Message::Sample => {
                self.close();
                self.stage = Stage::Fetching;
                let fetched = context.link().callback(Message::SampleFetched);
                spawn_local(async move { fetched.emit(platform::fetch(SAMPLE).await) });
            }
            // Another video was opened meanwhile.
            Message::SampleFetched(_) if !matches!(self.stage, Stage::Fetching) => return false,
            Message::SampleFetched(Ok(file)) => self.open(file),
            Message::SampleFetched(Err(reason)) => {
                self.stage = Stage::Empty;
                let message = fill(self.texts().error_sample, &[&reason]);
                self.complain(None, message);
            }
            Message::Use(weights) => self.use_weights(weights),
            Message::Forget(sha256) => {
                self.engine.send(Command::Forget(sha256));
                self.use_weights(Weights::Site);
            }
            Message::Edit(form) => {
                platform::set_query(&form.to_query(&platform::query()));
                self.form = form;
            }
            Message::Start => self.start(),
            Message::Cancel => self.engine.send(Command::Cancel),
            Message::Export(kind) => {
                self.problem = None;
                self.busy = Some((kind, 0.0));
                self.engine.send(Command::Export(kind));
            }
            Message::Show(index) => {
                if let Some(video) = &mut self.video {
                    video.follow = false;
                }
                self.show(index);
            }
            Message::Play => self.play(context),
            Message::NextFrame => {
                let Some(video) = self.video.as_ref().filter(|_| self.player.is_some()) else { return false };
                self.player = Some(None);
                self.show((video.current + 1) % self.frames().max(1));
            }
            Message::Key(key) => self.press(context, key),
            Message::Speak(language) => {
                self.language = language;
                platform::set_query(&form::with_parameter(&platform::query(), "lang", Some(language.code())));
            }
            Message::Dismiss => self.problem = None,
            Message::Reload => {
                if let Some(window) = window() {
                    // A page that cannot be loaded again stays as it is.
                    _ = window.location().reload();
                }
            }
        }
        true
    }

    fn view(&self, context: &Context<Self>) -> Html {
        let link = context.link();
        let texts = self.texts();
        let on_file = link.callback(Message::File);
        // A video may be let go anywhere on the page.
        let ondragover = Callback::from(|event: DragEvent| event.prevent_default());
        let ondrop = {
            let on_file = on_file.clone();
            Callback::from(move |event: DragEvent| {
                event.prevent_default();
                if let Some(file) = event.data_transfer().as_ref().and_then(dropped_file) {
                    on_file.emit(file);
                }
            })
        };
        html! {
            <ContextProvider<Language> context={self.language}>
                <div class="page" data-stage={self.stage.name()} {ondragover} {ondrop}>
                    <Header on_language={link.callback(Message::Speak)}>
                        if self.video.is_some() {
                            <FileButton label={texts.another_video} on_file={on_file.clone()} test_id="file-input" />
                        }
                    </Header>
                    <main>
                        if let Some(problem) = &self.problem {
                            <ProblemView problem={problem.clone()}
                                on_reload={link.callback(|()| Message::Reload)} on_dismiss={link.callback(|()| Message::Dismiss)} />
                        }
                        { match &self.video {
                            Some(video) => self.workspace(context, video),
                            None => html! {
                                <Welcome busy={self.opening()} {on_file} on_sample={link.callback(|()| Message::Sample)}>
                                    { self.loading(context) }
                                    <Facts ready={self.ready.clone()} />
                                </Welcome>
                            },
                        } }
                    </main>
                </div>
            </ContextProvider<Language>>
        }
    }

    fn rendered(&mut self, _context: &Context<Self>, _first: bool) {
        let title = match &self.stage {
            Stage::Running(Some(progress)) => format!("{:.0} % · Steadymask", 100.0 * share(progress)),
            _ => "Steadymask".to_owned(),
        };
        platform::set_document(self.language.code(), &title);
        if let Some(id) = self.focus.take() {
            let target = window().and_then(|window| window.document()).and_then(|page| page.get_element_by_id(id));
            if let Some(target) = target.and_then(|target| target.dyn_into::<HtmlElement>().ok()) {
                // What cannot take the focus leaves it where it is.
                _ = target.focus();
            }
        }
    }
}

impl App {
    fn texts(&self) -> &'static Texts {
        self.language.texts()
    }

    /// Number of frames that can be stepped through: as the container tells, until the run has found them all.
    fn frames(&self) -> usize {
        match (&self.stage, &self.video) {
            (Stage::Finished(_), Some(video)) => video.series.len(),
            (_, Some(video)) => video.clip.frames,
            (_, None) => 0,
        }
    }

    /// Forgets the open video.
    fn close(&mut self) {
        self.problem = None;
        self.busy = None;
        self.player = None;
        self.video = None;
        self.keys = None;
    }

    fn open(&mut self, file: File) {
        if matches!(self.stage, Stage::Running(_)) || self.busy.is_some() {
            self.engine.send(Command::Cancel);
        }
        self.close();
        if let Some(failure) = self.broken.clone() {
            self.stage = Stage::Empty;
            return self.complain(Some(failure.code), failure.message);
        }
        self.name = file.name();
        self.stage = Stage::Opening;
        self.engine.send(Command::Open(file.into()));
    }

    fn use_weights(&mut self, weights: Weights) {
        self.problem = None;
        self.loading = Some(Loading::default());
        platform::set_query(&form::with_parameter(&platform::query(), MODEL, None));
        self.engine.send(Command::Use(weights));
    }

    /// Ends the wait for another network. The one in use now goes into the page's address, so that it is there again
    /// when the page is; an address of weights stays there, for others to follow.
    fn stop_loading(&mut self) {
        let query = platform::query();
        if self.loading.take().is_some() && form::parameter(&query, MODEL).is_none() {
            let sha256 = self.ready.as_ref().and_then(|ready| ready.sha256.as_deref());
            platform::set_query(&form::with_parameter(&query, MODEL, sha256));
        }
    }

    fn start(&mut self) {
        let Some(settings) = self.form.settings() else { return };
        self.problem = None;
        self.player = None;
        self.stage = Stage::Running(None);
        self.focus = Some(VIDEO_NAME);
        self.engine.send(Command::Start(settings.clone()));
        if let Some(video) = &mut self.video {
            let again = video.ran_with.is_some();
            video.restart(Some(settings));
            if again {
                // Without the masks of the run before.
                let current = video.current;
                self.show(current);
            }
        }
    }

    /// Takes what the engine said; whether the page looks different now.
    fn hear(&mut self, context: &Context<Self>, event: Event) -> bool {
        match event {
            Event::Ready(ready) => {
                if self.form.rename_classes(&ready.other_names) {
                    platform::set_query(&self.form.to_query(&platform::query()));
                }
                // The first answer of an engine is that of the site's own network.
                if self.ready.replace(ready).is_some() {
                    self.stop_loading();
                }
            }
            Event::Loading { done, total } => {
                let Some(loading) = &mut self.loading else { return false };
                *loading = Loading { done, total };
            }
            Event::Opened(clip) => {
                self.stage = Stage::Opened;
                self.video = Some(Video::new(clip));
                self.keys = keys::listen(context.link().callback(Message::Key));
                self.focus = Some(VIDEO_NAME);
                self.show(0);
            }
            Event::Progress(progress) => {
                if !matches!(self.stage, Stage::Running(_)) {
                    return false;
                }
                self.stage = Stage::Running(Some(progress));
                return self.follow();
            }
            Event::Proposed(proposal) => {
                if let Some(video) = self.video.as_mut().filter(|_| matches!(self.stage, Stage::Running(_))) {
                    video.proposal = Some(Rc::from(proposal));
                }
            }
            Event::Frame(frame) => {
                if let Some(video) = &mut self.video {
                    video.series.push(frame.timestamp_seconds, &frame.metrics);
                }
                // Drawn with the next progress.
                return false;
            }
            // Another video has been opened meanwhile.
            Event::Finished(_) if !matches!(self.stage, Stage::Running(_)) => return false,
            Event::Finished(finished) => {
                self.stage = Stage::Finished(finished);
                if let Some(video) = &mut self.video {
                    video.chart();
                    // Who only watched is shown what the run was for; who chose a frame keeps it.
                    let worst = video.series.worst(1).first().copied().unwrap_or_default();
                    let frame = if std::mem::take(&mut video.follow) { worst } else { video.current };
                    self.show(frame.min(self.frames().saturating_sub(1)));
                }
            }
            Event::Cancelled => {
                self.busy = None;
                self.stop_loading();
                if matches!(self.stage, Stage::Running(_)) {
                    self.focus = Some(VIDEO_NAME);
                    self.reopen();
                }
            }
            Event::Failed(failure) => self.fail(failure),
            Event::Picture(picture) => return self.picture(context, picture),
            Event::Exporting { kind, progress } => {
                if let Some((busy, share)) = &mut self.busy
                    && *busy == kind
                {
                    *share = progress;
                }
            }
            Event::Exported { kind, file_name, blob } => {
                if self.busy.take().is_none_or(|(busy, _)| busy != kind) {
                    return true;
                }
                if let Err(error) = platform::save(&blob, &file_name) {
                    self.complain(None, format!("{error:?}"));
                }
            }
        }
        true
    }

    /// Goes back to the open video, without a result.
    fn reopen(&mut self) {
        self.stage = Stage::Opened;
        if let Some(video) = &mut self.video {
            video.restart(None);
            let current = video.current;
            self.show(current);
        }
    }

    fn fail(&mut self, failure: Failure) {
        match self.stage {
            Stage::Opening | Stage::Fetching => self.stage = Stage::Empty,
            Stage::Running(_) => self.reopen(),
            // The worker was started anew, and its results went with the old one.
            Stage::Finished(_) if failure.code == FailureCode::Internal => self.reopen(),
            _ => {}
        }
        self.busy = None;
        self.stop_loading();
        self.player = None;
        if let Some(video) = &mut self.video {
            video.awaited = false;
        }
        if failure.code == FailureCode::Start {
            self.broken = Some(failure.clone());
        }
        self.complain(Some(failure.code), failure.message);
    }

    fn complain(&mut self, code: Option<FailureCode>, message: String) {
        self.problem = Some(Problem { code, message: message.into() });
        self.focus = Some(problem::ID);
    }

    /// Asks for frame `index`.
    fn show(&mut self, index: usize) {
        if let Some(video) = &mut self.video {
            video.current = index;
            video.awaited = true;
            video.asked_at = platform::now();
            self.engine.send(Command::Picture { index });
        }
    }

    /// Shows how far a run has come: the plot, and now and then the latest frame. Whether there is something to draw.
    fn follow(&mut self) -> bool {
        let Some(video) = &mut self.video else { return false };
        let now = platform::now();
        if now - video.charted_at < REDRAW_SECONDS {
            return false;
        }
        video.chart();
        video.charted_at = now;
        let latest = video.series.len().checked_sub(1);
        let is_due = video.follow && !video.awaited && now - video.asked_at >= FOLLOW_SECONDS;
        if let Some(latest) = latest.filter(|_| is_due) {
            self.show(latest);
        }
        true
    }

    /// Takes a frame that was asked for. One that came late is shown too: whoever drags the scrubber sees it move.
    fn picture(&mut self, context: &Context<Self>, picture: Picture) -> bool {
        let Some(video) = &mut self.video else { return false };
        let index = picture.index;
        video.shown = Some(Shown::new(picture));
        if index == video.current {
            video.awaited = false;
            if self.player.is_some() {
                // The next frame will take about as long to come as this one took.
                let took = platform::now() - video.asked_at;
                let wait = (video.series.duration(index, video.clip.fps) - took).max(0.0);
                let next = context.link().callback(|()| Message::NextFrame);
                self.player = Some(Some(Timeout::new((wait * 1000.0) as u32, move || next.emit(()))));
            }
        }
        true
    }

    fn play(&mut self, context: &Context<Self>) {
        if self.player.take().is_some() || self.frames() < 2 {
            return;
        }
        self.player = Some(None);
        if let Some(video) = &mut self.video {
            video.follow = false;
        }
        context.link().send_message(Message::NextFrame);
    }

    fn press(&mut self, context: &Context<Self>, key: Key) {
        let Some(current) = self.video.as_ref().map(|video| video.current) else { return };
        let last = self.frames().saturating_sub(1);
        let index = match key {
            Key::Play => return self.play(context),
            Key::First => 0,
            Key::Previous => current.saturating_sub(1),
            Key::Next => (current + 1).min(last),
            Key::Last => last,
        };
        self.player = None;
        context.link().send_message(Message::Show(index));
    }

    /// What is being opened, in words.
    fn opening(&self) -> Option<AttrValue> {
        match self.stage {
            Stage::Fetching => Some(self.texts().loading_sample.into()),
            Stage::Opening => Some(self.texts().opening.into()),
            _ => None,
        }
    }

    /// The page with a video.
    fn workspace(&self, context: &Context<Self>, video: &Video) -> Html {
        let link = context.link();
        let texts = self.texts();
        let running = matches!(self.stage, Stage::Running(_));
        let finished = match &self.stage {
            Stage::Finished(finished) => Some(finished),
            _ => None,
        };
        let settings = self.form.settings();
        let classes = self.ready.as_ref().map(|ready| ready.classes.clone());
        let refused = classes.as_ref().is_some_and(|classes| class_refusal(&self.form, classes, texts).is_some());
        let waiting = running || self.busy.is_some() || self.loading.is_some();
        let stale = finished.is_some() && settings.is_some() && settings != video.ran_with;
        let on_frame = link.callback(Message::Show);
        html! {
            <div class="workspace">
                <div class="workspace-main">
                    { self.caption(video) }
                    if let Stage::Running(progress) = &self.stage {
                        { self.progress(context, progress.as_ref()) }
                    }
                    <Viewer clip={video.clip.clone()} frames={self.frames()} current={video.current} picture={video.shown.clone()}
                        playing={self.player.is_some()} on_frame={on_frame.clone()} on_play={link.callback(|()| Message::Play)}>
                        if running || finished.is_some() {
                            <Stability charted={video.charted.clone()} current={video.current} {on_frame} />
                        }
                    </Viewer>
                    if let Some(proposal) = &video.proposal {
                        <TradeOff proposal={proposal.clone()} />
                    }
                    if let Some(finished) = finished {
                        <Metrics summary={finished.summary.clone()} />
                    }
                </div>
                <aside class="workspace-side">
                    if let Some(finished) = finished {
                        <p class="done" aria-live="polite" data-testid="done">
                            { fill(texts.done_in, &[
                                &finished.summary.frames.to_string(),
                                &format::clock(finished.timings.total),
                            ]) }
                        </p>
                        { for finished.warnings.iter().map(|warning| html! {
                            // What the engine says, it says in English.
                            <p class="notice warning" role="status" lang="en" data-testid="warning">{ warning }</p>
                        }) }
                        <Downloads busy={self.busy} on_export={link.callback(Message::Export)} on_cancel={link.callback(|()| Message::Cancel)} />
                    }
                    <section class="panel">
                        <SettingsView form={self.form.clone()} {classes} disabled={running} on_change={link.callback(Message::Edit)} />
                        if stale {
                            <p class="notice" role="status">{ texts.settings_changed }</p>
                        }
                        if !running {
                            <button type="button" class="button primary wide" disabled={settings.is_none() || refused || waiting}
                                onclick={link.callback(|_: MouseEvent| Message::Start)} data-testid="stabilize">
                                { if finished.is_some() { texts.stabilize_again } else { texts.stabilize } }
                            </button>
                        }
                    </section>
                    <section class="panel">
                        { self.loading(context) }
                        <NetworkView ready={self.ready.clone()} disabled={waiting} on_use={link.callback(Message::Use)}
                            on_forget={link.callback(Message::Forget)} />
                    </section>
                    <Facts ready={self.ready.clone()} />
                </aside>
            </div>
        }
    }

    /// Name and measures of the video.
    fn caption(&self, video: &Video) -> Html {
        let (clip, texts) = (&video.clip, self.texts());
        let measures = [
            format!("{} × {}", clip.width, clip.height),
            fill(texts.frames, &[&self.frames().to_string()]),
            fill(texts.fps, &[&format::number_short(clip.fps, self.language)]),
            format::clock(clip.duration_seconds),
        ];
        html! {
            <div class="caption">
                <h1 id={VIDEO_NAME} tabindex="-1">{ &self.name }</h1>
                <p>{ for measures.iter().map(|measure| html! { <span>{ measure }</span> }) }</p>
            </div>
        }
    }

    /// How far another network is.
    fn loading(&self, context: &Context<Self>) -> Html {
        let Some(loading) = self.loading else { return Html::default() };
        html! { <LoadingView {loading} on_cancel={context.link().callback(|()| Message::Cancel)} /> }
    }

    fn progress(&self, context: &Context<Self>, progress: Option<&Progress>) -> Html {
        let texts = self.texts();
        let (mut figures, mut announcement) = (Vec::new(), AttrValue::from(texts.preparing));
        if let Some(progress) = progress {
            figures.push(fill(texts.progress, &[&progress.done.to_string(), &progress.total.to_string()]).into());
            if let Some(speed) = progress.frames_per_second {
                figures.push(fill(texts.speed, &[&format::number(speed, 1, self.language)]).into());
            }
            if let Some(seconds) = progress.eta_seconds {
                figures.push(fill(texts.time_left, &[&format::clock(seconds)]).into());
            }
            let running = if progress.trying { texts.trying } else { texts.running };
            announcement = format!("{running} {} %", milestone(share(progress))).into();
        }
        let label = match progress {
            None => texts.preparing,
            Some(progress) if progress.trying => texts.trying,
            Some(_) => texts.running,
        };
        html! {
            <ui::Progress {label} share={progress.map(share)} {figures} {announcement}>
                <button type="button" class="button" onclick={context.link().callback(|_: MouseEvent| Message::Cancel)} data-testid="cancel">
                    <Icon name={IconName::Close} />{ texts.cancel }
                </button>
            </ui::Progress>
        }
    }
}

/// What the page's address asks for.
fn weights_of(model: String) -> Weights {
    let is_hash = model.len() == 64 && model.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash { Weights::Kept(model.to_ascii_lowercase()) } else { Weights::Address(model) }
}

/// How far a run is, 0 to 1.
fn share(progress: &Progress) -> f64 {
    progress.done as f64 / progress.total.max(1) as f64
}
