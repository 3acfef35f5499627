//! What the handlers work with.

use formation_control::Control;

/// The API.
#[derive(Debug)]
pub struct App {
    pub(crate) control: Control,
    pub(crate) stack_name: String,
}

impl App {
    /// The API of `control`, which is that of the stack `stack_name`.
    pub fn new(control: Control, stack_name: impl Into<String>) -> Self {
        Self { control, stack_name: stack_name.into() }
    }
}
