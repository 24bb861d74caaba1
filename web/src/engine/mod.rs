//! What does the work for the page: one trait, so that a view does not know where the work happens.

use std::{cell::RefCell, rc::Rc};

pub mod capability;
#[cfg(any(feature = "worker", test))]
pub mod inbox;
mod local;
pub mod protocol;

pub use local::LocalEngine;
use protocol::{Command, Event};

/// Takes commands; answers with events through the callback that it was made with.
pub trait Engine {
    /// Sends a command. What comes of it, failure included, arrives as [`Event`]s.
    fn send(&self, command: Command);
}

/// Does nothing but keep what it was told, for tests of views.
#[derive(Clone, Default)]
pub struct NullEngine {
    commands: Rc<RefCell<Vec<Command>>>,
}

impl NullEngine {
    /// The commands sent so far, oldest first; forgets them.
    pub fn take(&self) -> Vec<Command> {
        self.commands.take()
    }
}

impl Engine for NullEngine {
    fn send(&self, command: Command) {
        self.commands.borrow_mut().push(command);
    }
}

/// Where events go.
pub(crate) type OnEvent = Rc<dyn Fn(Event)>;
