//! `formation plan`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use formation_client::FunctionFilter;
use formation_model::FunctionName;
use formation_model::plans::{FunctionPlan, Plans};
use futures_util::TryStreamExt;
use futures_util::future::ready;

use super::current;
use crate::args::{Connection, FromManifest, Plan};
use crate::connect::Connected;
use crate::deploy::planned::{Planned, accepted, ask, is_busy, mark, refuse_others};
use crate::deploy::show::{Sum, markdown, text};
use crate::deploy::sources::{Source, sources};
use crate::failure::Failure;
use crate::follow::{self, follow};
use crate::interrupt::Interrupt;
use crate::manifest::{MANIFEST_TAG, Manifest, Wanted};
use crate::outcome::Outcome;
use crate::output::Output;

/// The file into which GitHub takes what a step has to say, as Markdown.
/// Source: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

pub(super) async fn run(
    connection: &Connection,
    asked: &Plan,
    output: &Output,
) -> Result<Outcome, Failure> {
    let prepared = prepare(connection, &asked.manifest, None, output).await?;
    let Prepared { planned, going, .. } = &prepared;
    prepared.summarise()?;
    let plans: Vec<FunctionPlan> = planned.iter().map(|it| it.plan.clone()).collect();
    let changed = || planned.iter().filter(|it| it.changes());
    let names = || changed().map(|it| &it.wanted.name).chain(going).map(ToString::to_string);
    output.show(&Plans { plans }, |_| text(planned, going), |_| names().collect())?;
    let differs = asked.exit_code && Sum::of(planned, going.len()).changes();
    Ok(if differs { Outcome::Differs } else { Outcome::Done })
}

/// What a manifest comes to, before anything is done.
pub(super) struct Prepared {
    pub manifest: Manifest,
    pub connected: Connected,
    pub planned: Vec<Planned>,
    /// Functions that carry the manifest's tag and that it does not name.
    pub going: Vec<FunctionName>,
}

impl Prepared {
    /// Tells the plan to CI, where that has a place for it.
    pub fn summarise(&self) -> Result<(), Failure> {
        let Some(file) = std::env::var_os(SUMMARY).filter(|it| !it.is_empty()) else {
            return Ok(());
        };
        let written = std::fs::File::options().create(true).append(true).open(&file);
        let markdown = markdown(&self.planned, &self.going);
        written
            .and_then(|mut file| file.write_all(markdown.as_bytes()))
            .map_err(|error| Failure::other(format!("{SUMMARY} cannot be written"), &error))
    }
}

/// How to wait for operations that run on functions already: as when an earlier `apply` was interrupted.
#[derive(Clone, Copy)]
pub(super) struct Waiting<'a> {
    pub interrupt: &'a Interrupt,
    pub patience: Duration,
}

impl Waiting<'_> {
    /// Follows what runs on any of the functions, and answers whether something did.
    async fn until_free(
        &self,
        connected: &Connected,
        functions: &[(Wanted, Source)],
        plans: &[FunctionPlan],
        output: &Output,
    ) -> Result<bool, Failure> {
        let busy = functions.iter().zip(plans).filter(|(_, plan)| is_busy(plan));
        let mut waited = false;
        for ((wanted, _), _) in busy {
            let id = current(connected, &wanted.name).await?;
            let text = format!("{}: operation {id} runs on it; following that first", wanted.name);
            output.progress(&text);
            let Waiting { interrupt, patience } = *self;
            let client = &connected.client;
            let seen = follow(client, &wanted.name, id, patience, interrupt, output).await?;
            output.progress(&follow::outcome(&seen));
            if !seen.has_ended() {
                return Err(Failure::Running);
            }
            waited = true;
        }
        Ok(waited)
    }
}

/// Reads the manifest, builds, zips, and asks for the plan.
pub(super) async fn prepare(
    connection: &Connection,
    asked: &FromManifest,
    waiting: Option<Waiting<'_>>,
    output: &Output,
) -> Result<Prepared, Failure> {
    let path = &asked.file;
    let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::Refused(format!("there is no manifest {}: name one by --file", path.display()))
        }
        _ => Failure::Refused(format!("{} cannot be read: {error}", path.display())),
    })?;
    let manifest = Manifest::read(&path.display().to_string(), &text, asked.overlay.as_deref())?;
    let lookup = |name: &str| std::env::var(name).ok();
    let name = manifest.name(&lookup)?;
    let stack = manifest.stack(&lookup)?;
    if asked.prune && name.is_none() {
        let text = "--prune deletes by the tag of the manifest's name: give it a `name`";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut wanted = manifest.functions(&asked.names, &lookup)?;
    mark(&mut wanted, name.as_deref());
    let connected = connection.connect(stack.as_deref()).await?;
    let folder =
        path.parent().filter(|it| *it != Path::new("")).map_or(PathBuf::from("."), Path::to_owned);
    let sources = sources(&manifest, &folder, &wanted, !asked.no_build, output).await?;
    let functions: Vec<_> = wanted.into_iter().zip(sources).collect();
    let mut plans = ask(&connected.client, &functions).await?;
    if let Some(waiting) = waiting
        && waiting.until_free(&connected, &functions, &plans, output).await?
    {
        plans = ask(&connected.client, &functions).await?;
    }
    let planned = accepted(&manifest, functions, plans)?;
    if !asked.take_over {
        refuse_others(&manifest, name.as_deref(), &planned)?;
    }
    let going = match name.filter(|_| asked.prune) {
        Some(name) => going(&connected, &name, &planned).await?,
        None => Vec::new(),
    };
    Ok(Prepared { manifest, connected, planned, going })
}

/// The functions that carry the manifest's tag and are not named by it.
async fn going(
    connected: &Connected,
    name: &str,
    planned: &[Planned],
) -> Result<Vec<FunctionName>, Failure> {
    let filter = FunctionFilter {
        tags: [(MANIFEST_TAG.to_owned(), name.to_owned())].into(),
        page_size: Some(100),
        ..FunctionFilter::default()
    };
    let is_named = |name: &FunctionName| planned.iter().any(|it| it.wanted.name == *name);
    let all = connected.client.functions(filter).map_ok(|function| function.spec.function_name);
    Ok(all.try_filter(|name| ready(!is_named(name))).try_collect().await?)
}
