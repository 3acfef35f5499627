//! Trials that share one world.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

use crate::world::World;

/// A world, and what runs trials on it.
pub struct Suite {
    /// Local AWS with Formation on it.
    pub world: World,
    /// Where everything that is asynchronous runs.
    pub runtime: Runtime,
}

impl Suite {
    /// Runs `test` on the world. It fails by panicking.
    pub fn trial(
        self: &Arc<Self>,
        name: &str,
        test: impl AsyncFnOnce(&World) + Send + 'static,
    ) -> Trial {
        let suite = Arc::clone(self);
        Trial::test(name, move || {
            suite.runtime.block_on(test(&suite.world));
            Ok(())
        })
    }
}

/// The trials of a suite, named as their functions are called here: `trials! { suite: one, two::three, }`.
#[macro_export]
macro_rules! trials {
    ($suite:ident: $($test:path,)*) => {
        vec![$($suite.trial(stringify!($test), $test),)*]
    };
}

/// Starts a world, runs the trials that `list` makes for it, so many at once, and ends the world.
/// Waits of the state machine take `wait_scale` times as long as on AWS.
///
/// The more trials at once, the more processes of each Lambda local AWS has to look after: they
/// should be about as many as keep the machine busy.
pub fn run(
    wait_scale: f64,
    at_once: usize,
    list: impl FnOnce(&Arc<Suite>) -> Vec<Trial>,
) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(at_once);
    let runtime = Runtime::new().expect("a runtime");
    let world = match runtime.block_on(World::start(wait_scale)) {
        Ok(world) => world,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let suite = Arc::new(Suite { world, runtime });
    let conclusion = libtest_mimic::run(&arguments, list(&suite));
    if let Err(error) = suite.runtime.block_on(suite.world.stop()) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}
