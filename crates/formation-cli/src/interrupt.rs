//! ^C: whoever presses it leaves what runs running, and is told how to follow it.

use tokio::sync::watch;

/// Whether ^C has been pressed.
#[derive(Clone, Debug)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// From now on ^C does not end the process.
    pub fn listen() -> Self {
        let (pressed, receiver) = watch::channel(false);
        tokio::spawn(async move {
            // Without a handler ^C goes on ending the process.
            if tokio::signal::ctrl_c().await.is_ok() {
                pressed.send_replace(true);
            }
            // Whoever presses it again does not want to wait for an answer that is on its way.
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(crate::outcome::Outcome::Running.code()));
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
}
