//! The worker: decodes, segments, stabilises, exports. One command at a time; between two frames of a run or an
//! export it looks for messages, so that it can be cancelled and asked for pictures.

mod export;
mod gray;
mod library;
mod propose;
mod run;

use futures_channel::mpsc::unbounded;
use js_sys::Uint8Array;
use steadymask_models::{DeviceChoice, DeviceReport, Segmenter, classes};
use wasm_bindgen::{Clamped, JsCast, JsValue, closure::Closure};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Blob, DedicatedWorkerGlobalScope, File, ImageBitmap, ImageData, MessageEvent, Response};

use self::{library::Library, run::Run};
use crate::{
    engine::{
        inbox::{Inbox, News},
        protocol::{Command, Event, Failure, FailureCode, Masks, Picture, Ready, Weights, from_message, to_message},
    },
    media::{Video, failure_of},
};

/// The site's own weights, beside the worker's files.
const WEIGHTS: &str = "./deeplabv3_mobilenet_v2-voc21.f16.safetensors";

/// Starts the worker: called once by each worker binary.
pub fn start() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        post(&Event::Failed(Failure::new(FailureCode::Internal, panic.to_string())));
    }));
    let (commands, receiver) = unbounded();
    let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
        match from_message::<Command>(message.data()) {
            // The receiver lives as long as the worker.
            Ok(command) => _ = commands.unbounded_send(command),
            Err(error) => post(&Event::Failed(Failure::new(
                FailureCode::Internal,
                format!("The page said something unknown to the worker: {error}"),
            ))),
        }
    });
    scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    spawn_local(async move {
        match load().await {
            Err(failure) => post(&Event::Failed(failure)),
            Ok(network) => {
                post(&network.ready().await);
                Session { inbox: Inbox::new(receiver), network, open: None }.serve().await;
            }
        }
    });
}

/// The network, and why it runs where it does.
struct Network {
    segmenter: Segmenter,
    device: DeviceReport,
    /// Under which SHA-256 the browser keeps it.
    sha256: Option<String>,
}

impl Network {
    /// Brings a network onto the device that the worker's address asks for.
    async fn bring_up(weights: Vec<u8>, name: Option<&str>) -> Result<Self, Failure> {
        let failed = |e: steadymask_models::Error| Failure::new(FailureCode::Network, e.to_string());
        let query = web_sys::UrlSearchParams::new_with_str(&scope().location().search()).map_err(failure_of)?;
        let choice: DeviceChoice = match query.get("device") {
            Some(name) => name.parse().map_err(failed)?,
            None => DeviceChoice::default(),
        };
        let mut segmenter = Segmenter::from_safetensors(weights, choice).await.map_err(failed)?;
        if let Some(name) = name {
            let classes = segmenter.classes().to_vec();
            segmenter = segmenter.with_names(name, classes).map_err(failed)?;
        }
        let mut device = segmenter.device();
        let fell_back = choice == DeviceChoice::Auto && device.name == "cpu";
        // The page chose this worker, and knows better why.
        if let Some(reason) = query.get("reason").filter(|_| !fell_back) {
            device.reason = reason;
        }
        Ok(Self { segmenter, device, sha256: None })
    }

    /// What the page is told of it.
    async fn ready(&self) -> Event {
        let DeviceReport { name: device, reason } = self.device.clone();
        let known = self.segmenter.classes();
        Event::Ready(Ready {
            device,
            reason,
            classes: classes::offered(known).skip(1).map(|(_, name)| name.clone()).collect(),
            other_names: classes::other_names(known).map(|(name, class)| (name.to_owned(), class.clone())).collect(),
            network: self.segmenter.info().name.clone(),
            sha256: self.sha256.clone(),
            kept: Library::open().await.list().await,
        })
    }
}

/// Fetches the site's own network and brings it up.
async fn load() -> Result<Network, Failure> {
    let failed = |reason: String| Failure::new(FailureCode::Start, reason);
    let not_loaded = |reason: String| failed(format!("The network's weights could not be loaded: {reason}"));
    let response =
        JsFuture::from(scope().fetch_with_str(WEIGHTS)).await.map_err(|e| not_loaded(failure_of(e).message))?;
    let response: Response = response.unchecked_into();
    if !response.ok() {
        return Err(not_loaded(format!("{} {}", response.status(), response.status_text())));
    }
    let buffer = response.array_buffer().map_err(failure_of)?;
    let buffer = JsFuture::from(buffer).await.map_err(|e| not_loaded(failure_of(e).message))?;
    let weights = Uint8Array::new(&buffer).to_vec();
    Network::bring_up(weights, None).await.map_err(|failure| failed(failure.message))
}

/// What the worker remembers from command to command.
struct Session {
    inbox: Inbox,
    network: Network,
    open: Option<Open>,
}

/// An open video and what was made of it.
struct Open {
    video: Video,
    /// The file's name, and without its ending.
    name: String,
    stem: String,
    run: Option<Run>,
}

/// How a long command ended.
enum Ending {
    Complete(Box<Event>),
    Cancelled,
}

impl Session {
    async fn serve(mut self) {
        loop {
            let command = self.inbox.next().await;
            let answer = match command {
                Command::Open(blob) => self.open(&blob).await,
                Command::Start(settings) => match self.open.as_mut() {
                    Some(open) => open.start(&settings, &self.network.segmenter, &mut self.inbox).await,
                    None => Err(out_of_order()),
                },
                Command::Export(kind) => match self.open.as_ref() {
                    Some(open) => open.export(kind, &self.network, &mut self.inbox).await,
                    None => Err(out_of_order()),
                },
                Command::Picture { index } => match self.open.as_ref() {
                    Some(open) => open.picture(index, open.run.as_ref()).await,
                    None => Err(out_of_order()),
                }
                .map(|picture| Ending::Complete(Box::new(picture))),
                Command::Use(weights) => self.use_weights(weights).await,
                Command::Forget(sha256) => {
                    Library::open().await.forget(&sha256).await;
                    self.network.sha256.take_if(|kept| *kept == sha256);
                    Ok(Ending::Complete(Box::new(self.network.ready().await)))
                }
                Command::Cancel => Ok(Ending::Cancelled),
            };
            post(&match answer {
                Ok(Ending::Complete(event)) => *event,
                Ok(Ending::Cancelled) => Event::Cancelled,
                Err(failure) => Event::Failed(failure),
            });
        }
    }

    /// Takes another network in place of the one there is. What was kept stays kept, whatever comes of it.
    async fn use_weights(&mut self, weights: Weights) -> Result<Ending, Failure> {
        let library = Library::open().await;
        let file = match weights {
            Weights::Site => {
                self.network = load().await?;
                return Ok(Ending::Complete(Box::new(self.network.ready().await)));
            }
            Weights::Kept(sha256) => library.find(&sha256).await?,
            Weights::File(blob) => {
                library::check_size(blob.size() as u64)?;
                let buffer = JsFuture::from(blob.array_buffer()).await.map_err(failure_of)?;
                let name = blob.dyn_ref::<File>().map_or_else(|| "weights".into(), |file| library::stem(&file.name()));
                library::File { name, bytes: Uint8Array::new(&buffer), origin: None, sha256: None }
            }
            Weights::Address(address) => {
                let inbox = &mut self.inbox;
                let fetched = library.fetch(&address, async |done, total| {
                    post(&Event::Loading { done, total });
                    inbox.cancelled().await
                });
                match fetched.await? {
                    Some(file) => file,
                    None => return Ok(Ending::Cancelled),
                }
            }
        };
        let mut network = Network::bring_up(file.bytes.to_vec(), Some(&file.name)).await?;
        // A browser without room for it works with it all the same, until the page is closed.
        network.sha256 = library.keep(&file).await.unwrap_or_default();
        self.network = network;
        Ok(Ending::Complete(Box::new(self.network.ready().await)))
    }

    async fn open(&mut self, blob: &Blob) -> Result<Ending, Failure> {
        self.open = None;
        let video = Video::open(blob).await?;
        let clip = video.clip();
        let name = blob.dyn_ref::<File>().map_or_else(|| "video".into(), File::name);
        let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem).to_owned();
        self.open = Some(Open { video, name, stem, run: None });
        Ok(Ending::Complete(Box::new(Event::Opened(clip))))
    }
}

impl Open {
    /// Frame `index` with the masks that `run` has for it.
    async fn picture(&self, index: usize, run: Option<&Run>) -> Result<Event, Failure> {
        let kept = run.and_then(|run| run.frames.get(index));
        let seconds = kept.map_or_else(|| self.video.time_of(index), |kept| kept.timestamp_seconds);
        let frame = self.video.bitmap(seconds).await?;
        let masks = match kept {
            Some(kept) => Some(Masks { raw: layer(&kept.raw).await?, stabilized: layer(&kept.stabilized).await? }),
            None => None,
        };
        Ok(Event::Picture(Picture { index, frame, masks }))
    }

    /// Answers what has come in since the last frame; whether to stop.
    async fn interrupted(&self, inbox: &mut Inbox, run: Option<&Run>) -> bool {
        match inbox.look().await {
            News::None => false,
            News::Stop => true,
            News::Picture(index) => {
                post(&self.picture(index, run).await.unwrap_or_else(Event::Failed));
                false
            }
        }
    }
}

/// A mask's PNG as white on transparent.
async fn layer(png: &[u8]) -> Result<ImageBitmap, Failure> {
    let mask = gray::read(png).map_err(|e| Failure::new(FailureCode::Internal, e.to_string()))?;
    let rgba: Vec<u8> = mask.data().iter().flat_map(|&value| [255, 255, 255, value]).collect();
    let (width, height) = (mask.width() as u32, mask.height() as u32);
    let pixels = ImageData::new_with_u8_clamped_array_and_sh(Clamped(&rgba), width, height).map_err(failure_of)?;
    let bitmap = scope().create_image_bitmap_with_image_data(&pixels).map_err(failure_of)?;
    Ok(JsFuture::from(bitmap).await.map_err(failure_of)?.unchecked_into())
}

fn out_of_order() -> Failure {
    Failure::new(FailureCode::Order, "Open a video first")
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since the worker began.
fn now() -> f64 {
    scope().performance().map_or(0.0, |clock| clock.now())
}

fn post(event: &Event) {
    let message = to_message(event).unwrap_or(JsValue::NULL);
    if let Err(error) = scope().post_message_with_transfer(&message, &event.transferables()) {
        // There is nobody else to tell.
        web_sys::console::error_2(&"An event could not be sent:".into(), &error);
    }
}

/// A failure that nobody foresaw.
fn internal(error: impl std::error::Error) -> Failure {
    Failure::new(FailureCode::Internal, error.to_string())
}
