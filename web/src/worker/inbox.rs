use std::collections::VecDeque;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::StreamExt;

use crate::{engine::protocol::Command, media::pause};

/// Commands that have come and were not yet obeyed.
pub struct Inbox {
    receiver: UnboundedReceiver<Command>,
    waiting: VecDeque<Command>,
}

/// What has come in during a long command.
pub enum News {
    /// Nothing.
    None,
    /// Show this frame, and go on.
    Picture(usize),
    /// Stop: it was cancelled, or another command takes its place.
    Stop,
}

impl Inbox {
    pub fn new(receiver: UnboundedReceiver<Command>) -> Self {
        Self { receiver, waiting: VecDeque::new() }
    }

    /// The next command. Pictures that were asked for before another one are left out: nobody looks at them any more.
    pub async fn next(&mut self) -> Command {
        loop {
            self.drain();
            let command = match self.waiting.pop_front() {
                Some(command) => command,
                None => match self.receiver.next().await {
                    Some(command) => command,
                    // The sender is never dropped.
                    None => std::future::pending().await,
                },
            };
            self.drain();
            let is_picture = |command: &Command| matches!(command, Command::Picture { .. });
            if !is_picture(&command) || !self.waiting.iter().any(is_picture) {
                return command;
            }
        }
    }

    /// Lets messages come in and tells what they want.
    pub async fn look(&mut self) -> News {
        pause().await;
        self.drain();
        if let Some(cancel) = self.waiting.iter().rposition(|command| matches!(command, Command::Cancel)) {
            self.waiting.drain(..=cancel);
            return News::Stop;
        }
        if self.waiting.iter().any(|command| !matches!(command, Command::Picture { .. })) {
            return News::Stop;
        }
        match self.waiting.drain(..).last() {
            Some(Command::Picture { index }) => News::Picture(index),
            _ => News::None,
        }
    }

    fn drain(&mut self) {
        while let Ok(command) = self.receiver.try_recv() {
            self.waiting.push_back(command);
        }
    }
}
