//! The `formation` command.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let outcome = formation_cli::commands::run().await;
    // Without waiting for an answer at the terminal that does not come any more.
    formation_cli::output::exit(outcome)
}
