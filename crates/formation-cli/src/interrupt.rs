//! ^C, and SIGTERM: what runs is left running, and whoever pressed it is told how to follow it.

use std::pin::pin;

use tokio::sync::watch;

use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::{self, Format, Output};

/// Whether the command is to end.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// From now on ^C does not end the process.
    pub fn listen() -> Self {
        let (pressed, receiver) = watch::channel(false);
        // At once, and not when the task is first run: a question that follows is answered by it, too.
        let signals = Signals::listen();
        tokio::spawn(async move {
            // Without a handler ^C goes on ending the process.
            let Ok(mut signals) = signals else { return };
            if signals.next().await.is_ok() {
                output::interrupted();
                pressed.send_replace(true);
            }
            // Whoever presses it again does not want to wait for an answer that is on its way.
            if signals.next().await.is_ok() {
                output::interrupted();
                Output::new(Format::Table).progress(
                    "interrupted again, before an answer came: what was asked for may go on, as `formation \
                     operations` tells",
                );
                output::exit(Outcome::Running);
            }
        });
        Self(receiver)
    }

    /// Whether it has been pressed.
    pub fn is_pressed(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends when it is pressed.
    pub async fn pressed(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|pressed| *pressed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Does what comes before anything is started, unless it is pressed.
    ///
    /// # Errors
    /// Those of `first`, and that it was pressed.
    pub async fn before<T>(
        &self,
        first: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut first = pin!(first);
        tokio::select! {
            // Whoever pressed it while the last of it was done has pressed it before, too.
            biased;
            () = self.pressed() => Err(Failure::Refused("interrupted: nothing was started".to_owned())),
            done = &mut first => done,
        }
    }
}

/// Does what takes its time while ^C is listened to.
///
/// # Errors
/// Those of `work`.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::other("this is an error of formation's", &error)))
}

/// What asks the command to end.
#[cfg(unix)]
struct Signals {
    pressed: tokio::signal::unix::Signal,
    /// What CI and process managers send.
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            pressed: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) -> std::io::Result<()> {
        tokio::select! {
            _ = self.pressed.recv() => {}
            _ = self.terminate.recv() => {}
        }
        Ok(())
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> std::io::Result<()> {
        tokio::signal::ctrl_c().await
    }
}
