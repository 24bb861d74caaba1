//! The engine on this machine: a dedicated worker, started and, where it is stuck, started anew.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use gloo_timers::callback::Timeout;
use js_sys::{Reflect, encode_uri_component};
use wasm_bindgen::{JsCast, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{Blob, MessageEvent, Worker, WorkerOptions, WorkerType};

use super::{
    Engine, OnEvent,
    capability::{Choice, Device, Wish, choose, has_relaxed_simd},
    protocol::{Command, Event, Failure, FailureCode, Weights, from_message, to_message},
};

/// How long a worker may take to obey [`Command::Cancel`] before it is ended, in milliseconds.
const CANCEL_PATIENCE_MS: u32 = 1500;

/// A worker on this machine. Dropping the last clone ends it.
#[derive(Clone)]
pub struct LocalEngine(Rc<Shared>);

struct Shared {
    wish: Wish,
    on_event: OnEvent,
    running: RefCell<Option<Running>>,
    /// Commands that wait for the worker to be ready.
    waiting: RefCell<Vec<Command>>,
    ready: Cell<bool>,
    /// The open video, to open it again in a new worker.
    clip: RefCell<Option<Blob>>,
    /// The network asked for last, and the one in use, to take it again in a new worker.
    asked: RefCell<Option<Weights>>,
    network: RefCell<Option<Weights>>,
    /// How many answers of a new worker, in the place of a stuck one, the page knows already.
    known: Cell<usize>,
    cancelling: RefCell<Option<Timeout>>,
}

struct Running {
    worker: Worker,
    choice: Choice,
    _on_message: Closure<dyn Fn(MessageEvent)>,
    _on_error: Closure<dyn Fn(web_sys::Event)>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // What it has said already may still be on its way, to closures that are about to go.
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}

impl LocalEngine {
    /// Chooses a device and starts its worker; [`Event::Ready`] or [`Event::Failed`] comes first.
    pub fn new(wish: Wish, on_event: impl Fn(Event) + 'static) -> Self {
        let shared = Rc::new(Shared {
            wish,
            on_event: Rc::new(on_event),
            running: RefCell::default(),
            waiting: RefCell::default(),
            ready: Cell::default(),
            clip: RefCell::default(),
            asked: RefCell::default(),
            network: RefCell::default(),
            known: Cell::default(),
            cancelling: RefCell::default(),
        });
        let weak = Rc::downgrade(&shared);
        spawn_local(async move {
            let choice = choose(wish).await;
            if let Some(shared) = weak.upgrade() {
                shared.start(choice);
            }
        });
        Self(shared)
    }
}

impl Engine for LocalEngine {
    fn send(&self, command: Command) {
        self.0.send(command);
    }
}

impl Shared {
    fn start(self: &Rc<Self>, choice: Choice) {
        self.ready.set(false);
        let (script, device) = match (choice.device, self.wish) {
            (Device::Cpu, _) if has_relaxed_simd() => ("worker-cpu-relaxed_loader.js", "cpu"),
            (Device::Cpu, _) => ("worker-cpu_loader.js", "cpu"),
            // Asked for, a software adapter will do, and the processor will not.
            (Device::WebGpu, Wish::WebGpu) => ("worker-webgpu_loader.js", "webgpu"),
            (Device::WebGpu, _) => ("worker-webgpu_loader.js", "auto"),
        };
        let url = format!("./{script}?device={device}&reason={}", encode_uri_component(&choice.reason));
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = match Worker::new_with_options(&url, &options) {
            Ok(worker) => worker,
            Err(error) => return self.fail(FailureCode::Start, format!("the worker could not be started: {error:?}")),
        };
        let weak = Rc::downgrade(self);
        let on_message = Closure::<dyn Fn(MessageEvent)>::new(move |message: MessageEvent| {
            if let Some(shared) = weak.upgrade() {
                shared.receive(message);
            }
        });
        let weak = Rc::downgrade(self);
        let on_error = Closure::<dyn Fn(web_sys::Event)>::new(move |error: web_sys::Event| {
            if let Some(shared) = weak.upgrade() {
                shared.worker_error(&error);
            }
        });
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        let running = Running { worker, choice, _on_message: on_message, _on_error: on_error };
        self.running.replace(Some(running));
    }

    fn send(self: &Rc<Self>, command: Command) {
        match &command {
            Command::Open(blob) => {
                self.clip.replace(Some(blob.clone()));
            }
            Command::Use(weights) => {
                self.asked.replace(Some(weights.clone()));
            }
            Command::Cancel if !self.ready.get() => {
                self.waiting.borrow_mut().retain(|c| matches!(c, Command::Open(_) | Command::Picture { .. }));
                return (self.on_event)(Event::Cancelled);
            }
            Command::Cancel => {
                let weak = Rc::downgrade(self);
                let timeout = Timeout::new(CANCEL_PATIENCE_MS, move || {
                    if let Some(shared) = weak.upgrade() {
                        shared.restart();
                        (shared.on_event)(Event::Cancelled);
                    }
                });
                self.cancelling.replace(Some(timeout));
            }
            _ => {}
        }
        if self.ready.get() { self.post(&command) } else { self.waiting.borrow_mut().push(command) }
    }

    fn post(&self, command: &Command) {
        let running = self.running.borrow();
        let Some(Running { worker, .. }) = running.as_ref() else { return };
        let sent = to_message(command).map_err(|e| e.to_string());
        if let Err(reason) = sent.and_then(|m| worker.post_message(&m).map_err(|e| format!("{e:?}"))) {
            self.fail(FailureCode::Internal, format!("the worker could not be told: {reason}"));
        }
    }

    fn receive(self: &Rc<Self>, message: MessageEvent) {
        let event = match from_message::<Event>(message.data()) {
            Ok(event) => event,
            Err(error) => {
                return self.fail(FailureCode::Internal, format!("the worker said something unknown: {error}"));
            }
        };
        match event {
            Event::Ready(ready) => {
                if self.ready.replace(true) {
                    // The answer to another network.
                    if let Some(weights) = self.asked.take() {
                        self.network.replace(Some(weights));
                    }
                }
                for command in self.waiting.take() {
                    self.post(&command);
                }
                if !self.is_known() {
                    (self.on_event)(Event::Ready(ready));
                }
            }
            Event::Opened(_) if self.is_known() => {}
            Event::Failed(Failure { code: FailureCode::Start, message }) if !self.ready.get() => {
                self.start_failed(message)
            }
            Event::Failed(Failure { code: FailureCode::Internal, message }) => self.worker_broke(message),
            Event::Failed(Failure { code: FailureCode::Network, message }) => {
                self.asked.take();
                self.known.set(self.known.get().saturating_sub(1));
                self.fail(FailureCode::Network, message);
            }
            Event::Cancelled => {
                self.asked.take();
                self.cancelling.take();
                (self.on_event)(Event::Cancelled);
            }
            event => (self.on_event)(event),
        }
    }

    /// The processor takes over where WebGPU was tried unasked and did not start.
    fn start_failed(self: &Rc<Self>, message: String) {
        let tried = self.running.take().map(|running| running.choice.device);
        if tried == Some(Device::WebGpu) && self.wish == Wish::Auto {
            self.start(Choice::new(Device::Cpu, format!("WebGPU did not start: {message}")));
        } else {
            self.fail(FailureCode::Start, message);
        }
    }

    /// Errors that nobody caught in the worker: a script that is missing, or a panic.
    fn worker_error(self: &Rc<Self>, error: &web_sys::Event) {
        // A script that cannot be loaded gives a plain event, without the message that an error event has.
        let message = Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
        let message = message.unwrap_or_else(|| "a file of the site could not be loaded".into());
        self.worker_broke(message);
    }

    /// After a panic nothing in the worker can be trusted.
    fn worker_broke(self: &Rc<Self>, message: String) {
        if self.ready.get() {
            self.restart();
            self.fail(FailureCode::Internal, message);
        } else {
            self.start_failed(message);
        }
    }

    /// Ends the worker and starts another with the same device and video.
    fn restart(self: &Rc<Self>) {
        self.cancelling.take();
        let Some(choice) = self.running.take().map(|running| running.choice.clone()) else { return };
        self.asked.take();
        let network = self.network.borrow().clone().map(Command::Use);
        let again: Vec<Command> = network.into_iter().chain(self.clip.borrow().clone().map(Command::Open)).collect();
        // The first answer is that the worker is ready.
        self.known.set(1 + again.len());
        self.waiting.replace(again);
        self.start(choice);
    }

    /// Whether the page knows this answer; counts it.
    fn is_known(&self) -> bool {
        let known = self.known.get();
        self.known.set(known.saturating_sub(1));
        known > 0
    }

    fn fail(&self, code: FailureCode, message: String) {
        (self.on_event)(Event::Failed(Failure { code, message }));
    }
}
