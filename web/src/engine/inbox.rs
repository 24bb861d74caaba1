//! The worker's side of the protocol: what has come, and what of it still matters.

use std::collections::VecDeque;

use futures_channel::mpsc::UnboundedReceiver;
use futures_util::StreamExt;

use super::protocol::Command;
use crate::media::pause;

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
    /// Of a channel whose sender lives as long as the worker.
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
        match self.waiting.drain(..).next_back() {
            Some(Command::Picture { index }) => News::Picture(index),
            _ => News::None,
        }
    }

    /// Lets messages come in and tells whether to stop. All but the cancellation waits.
    pub async fn cancelled(&mut self) -> bool {
        pause().await;
        self.drain();
        let waiting = self.waiting.len();
        self.waiting.retain(|command| !matches!(command, Command::Cancel));
        self.waiting.len() < waiting
    }

    fn drain(&mut self) {
        while let Ok(command) = self.receiver.try_recv() {
            self.waiting.push_back(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_channel::mpsc::unbounded;
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn of_several_pictures_only_the_last_is_shown() {
        let (commands, receiver) = unbounded();
        let mut inbox = Inbox::new(receiver);
        for index in [3, 4, 5] {
            commands.unbounded_send(Command::Picture { index }).unwrap();
        }
        assert!(matches!(inbox.next().now_or_never(), Some(Command::Picture { index: 5 })));
        assert!(inbox.next().now_or_never().is_none());
    }

    #[test]
    fn other_commands_keep_their_order() {
        let (commands, receiver) = unbounded();
        let mut inbox = Inbox::new(receiver);
        commands.unbounded_send(Command::Cancel).unwrap();
        commands.unbounded_send(Command::Picture { index: 0 }).unwrap();
        assert!(matches!(inbox.next().now_or_never(), Some(Command::Cancel)));
        assert!(matches!(inbox.next().now_or_never(), Some(Command::Picture { index: 0 })));
    }
}
