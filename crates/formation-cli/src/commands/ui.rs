//! `formation ui`

use crate::args::Ui;
use crate::connect::Connected;
use crate::failure::Failure;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::ui;

pub(super) async fn run(
    connected: &Connected,
    local: bool,
    asked: &Ui,
    output: &Output,
) -> Result<Outcome, Failure> {
    ui::run(connected, local, asked, output).await
}
