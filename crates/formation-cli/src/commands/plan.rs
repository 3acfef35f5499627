//! `formation plan`

use std::io::{self, Read, Write};
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
use crate::interrupt::{Interrupt, off_thread};
use crate::manifest::{LARGEST, MANIFEST_TAG, Manifest, Wanted};
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
    let interrupt = Interrupt::listen();
    let prepared = prepare(connection, &asked.manifest, &interrupt, None, output).await?;
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
    /// Tells the plan to CI.
    pub fn summarise(&self) -> Result<(), Failure> {
        summarise(&markdown(&self.planned, &self.going))
    }
}

/// Tells CI in Markdown, where that has a place for it.
pub(super) fn summarise(markdown: &str) -> Result<(), Failure> {
    let Some(file) = std::env::var_os(SUMMARY).filter(|it| !it.is_empty()) else {
        return Ok(());
    };
    let written = std::fs::File::options().create(true).append(true).open(&file);
    written
        .and_then(|mut file| file.write_all(markdown.as_bytes()))
        .map_err(|error| Failure::other(format!("{SUMMARY} cannot be written"), &error))
}

/// Waits for what runs on any of the functions, as when an earlier `apply` was interrupted, and answers
/// whether something did.
async fn until_free(
    connected: &Connected,
    functions: &[(Wanted, Source)],
    plans: &[FunctionPlan],
    interrupt: &Interrupt,
    patience: Duration,
    output: &Output,
) -> Result<bool, Failure> {
    let busy = functions.iter().zip(plans).filter(|(_, plan)| is_busy(plan));
    let mut waited = false;
    for ((wanted, _), _) in busy {
        let id = current(connected, &wanted.name).await?;
        let text = format!("{}: operation {id} runs on it; following that first", wanted.name);
        output.progress(&text);
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

/// Reads the manifest, builds, zips, and asks for the plan: nothing is written in AWS. Operations that
/// run already are waited for, where there is `patience`.
pub(super) async fn prepare(
    connection: &Connection,
    asked: &FromManifest,
    interrupt: &Interrupt,
    patience: Option<Duration>,
    output: &Output,
) -> Result<Prepared, Failure> {
    let path = &asked.file;
    // Whoever writes into a pipe may take their time, or never come.
    let (file, overlay) = (path.clone(), asked.overlay.clone());
    let reading = off_thread(move || read(&file, overlay.as_deref()));
    let manifest = interrupt.before(reading).await?;
    let lookup = |name: &str| std::env::var(name).ok();
    let name = manifest.name(&lookup)?;
    let stack = manifest.stack(&lookup)?;
    if asked.prune && name.is_none() {
        let text = "--prune deletes by the tag of the manifest's name: give it a `name`";
        return Err(Failure::Usage(text.to_owned()));
    }
    let mut wanted = manifest.functions(&asked.names, &lookup)?;
    mark(&mut wanted, name.as_deref());
    let connected = interrupt.before(connection.connect(stack.as_deref())).await?;
    let folder =
        path.parent().filter(|it| *it != Path::new("")).map_or(PathBuf::from("."), Path::to_owned);
    let sources = sources(&manifest, &folder, &wanted, !asked.no_build, output);
    let sources = interrupt.before(sources).await?;
    let functions: Vec<_> = wanted.into_iter().zip(sources).collect();
    let planning = async || {
        let _busy = output.busy("planning");
        interrupt.before(ask(&connected.client, &functions)).await
    };
    let mut plans = planning().await?;
    if let Some(patience) = patience
        && until_free(&connected, &functions, &plans, interrupt, patience, output).await?
    {
        plans = planning().await?;
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

/// Reads a manifest, and no more of its file than one may have.
fn read(path: &Path, overlay: Option<&str>) -> Result<Manifest, Failure> {
    let shown = path.display();
    let refused = |why: &dyn std::fmt::Display| Failure::Refused(format!("{shown} {why}"));
    let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let text = format!(
                "there is no manifest {shown}: name one by --file; `formation init` makes one"
            );
            Failure::Refused(text)
        }
        _ => refused(&format!("cannot be read: {error}")),
    })?;
    if metadata.is_dir() {
        return Err(refused(&"is a folder: name the manifest in it by --file"));
    }
    // A pipe is good: it may be what another program writes, as `--file <(...)`.
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| refused(&format!("cannot be read: {error}")))?;
    if bytes.len() > LARGEST {
        return Err(refused(&format!("is larger than {LARGEST} bytes: is it a manifest?")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        refused(&format!("is not in UTF-8, from line {line} on: save it as UTF-8"))
    })?;
    Ok(Manifest::read(&shown.to_string(), &text, overlay)?)
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
