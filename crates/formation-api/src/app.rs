//! What the handlers work with.

use formation_control::Control;

/// The API.
#[derive(Debug)]
pub struct App {
    pub(crate) control: Control,
}

impl App {
    /// The API of `control`.
    pub fn new(control: Control) -> Self {
        Self { control }
    }
}
