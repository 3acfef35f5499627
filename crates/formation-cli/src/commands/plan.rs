//! `formation plan`

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use formation_client::{Described, FunctionFilter};
use formation_model::plans::{FunctionPlan, Plans};
use formation_model::{FunctionName, OperationKind, ProblemCode};
use futures_util::TryStreamExt;
use futures_util::future::ready;

use super::{TRIES, current};
use crate::args::{Connection, FromManifest, Plan};
use crate::changing::Target;
use crate::connect::Connected;
use crate::deploy::planned::{Planned, accepted, ask, is_busy, mark, refuse_others};
use crate::deploy::show::{Sum, markdown, text};
use crate::deploy::sources::{Source, sources};
use crate::failure::Failure;
use crate::follow::Follower;
use crate::interrupt::{Interrupt, off_thread};
use crate::manifest::{LARGEST, MANIFEST_TAG, Manifest, Wanted};
use crate::outcome::Outcome;
use crate::output::Output;

/// The file into which GitHub takes what a step has to say, as Markdown.
/// Source: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// How many bytes of it a plan, and what became of it, may have each: GitHub takes 1 MiB of a step.
/// Source: as above.
const LARGEST_SUMMARY: usize = 500_000;

pub(super) async fn run(
    connection: &Connection,
    asked: &Plan,
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let prepared = prepare(connection, &asked.manifest, &interrupt, None, output).await?;
    let Prepared { planned, going, .. } = &prepared;
    prepared.summarise()?;
    let plans = planned.iter().map(|it| it.plan.clone()).chain(going.iter().map(deletion));
    let plans = Plans { plans: plans.collect() };
    let going = names(going);
    let changed = planned.iter().filter(|it| it.changes()).map(|it| &it.wanted.name);
    let changed = changed.chain(&going).map(ToString::to_string);
    output.show(&plans, |_| text(planned, &going), |_| changed.collect())?;
    let differs = asked.exit_code && Sum::of(planned, going.len()).changes();
    Ok(if differs { Outcome::Differs } else { Outcome::Done })
}

/// The names of functions that are to go.
pub(super) fn names(going: &[Target]) -> Vec<FunctionName> {
    going.iter().map(|it| it.name.clone()).collect()
}

/// The plan of a function that is to go.
fn deletion(target: &Target) -> FunctionPlan {
    FunctionPlan {
        function_name: Some(target.name.to_string()),
        kind: Some(OperationKind::Delete.into()),
        etag: target.etag.as_ref().map(ToString::to_string),
        ..FunctionPlan::default()
    }
}

/// What a manifest comes to, before anything is done.
pub(super) struct Prepared {
    pub manifest: Manifest,
    pub connected: Connected,
    pub planned: Vec<Planned>,
    /// Functions that carry the manifest's tag and that it does not name.
    pub going: Vec<Target>,
}

impl Prepared {
    /// Tells the plan to CI.
    pub fn summarise(&self) -> Result<(), Failure> {
        summarise(&markdown(&self.planned, &names(&self.going)))
    }
}

/// Tells CI in Markdown, where that has a place for it.
pub(super) fn summarise(markdown: &str) -> Result<(), Failure> {
    let Some(file) = std::env::var_os(SUMMARY).filter(|it| !it.is_empty()) else {
        return Ok(());
    };
    let written = std::fs::File::options().create(true).append(true).open(&file);
    written
        .and_then(|mut file| file.write_all(within(markdown, LARGEST_SUMMARY).as_bytes()))
        .map_err(|error| Failure::other(format!("{SUMMARY} cannot be written"), &error))
}

/// As many whole lines of a text as fit, and that there are more.
fn within(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let lines = text.split_inclusive('\n').scan(0, |length, line| {
        *length += line.len();
        (*length <= bytes).then_some(line)
    });
    lines.chain(["\nThere is more, for which GitHub has no room.\n"]).collect()
}

/// Waits for what runs on any of the functions, as when an earlier `apply` was interrupted, and answers
/// whether something did.
async fn until_free(
    connected: &Connected,
    follower: Follower<'_>,
    functions: &[(Wanted, Source)],
    plans: &[FunctionPlan],
) -> Result<bool, Failure> {
    let busy = functions.iter().zip(plans).filter(|(_, plan)| is_busy(plan));
    let mut waited = false;
    for ((wanted, _), _) in busy {
        let id = follower.interrupt.before(current(connected, &wanted.name)).await?;
        let followed = follower.first(&wanted.name, id).await?;
        if !followed.operation.has_ended() {
            return Err(followed.lost.unwrap_or(Failure::Running));
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
    if let Some(patience) = patience {
        let follower = Follower { client: &connected.client, patience, interrupt, output };
        for _ in 0..TRIES {
            if !until_free(&connected, follower, &functions, &plans).await? {
                break;
            }
            plans = planning().await?;
        }
    }
    let planned = accepted(&manifest, functions, plans)?;
    if !asked.take_over {
        let refusing = refuse_others(&connected.client, &manifest, name.as_deref(), &planned);
        interrupt.before(refusing).await?;
    }
    let going = match name.filter(|_| asked.prune) {
        Some(name) => interrupt.before(going(&connected, &name, &manifest.names())).await?,
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

/// The functions that carry the manifest's tag and are not named by it, in whatever overlay, each at the
/// entity tag at which it was seen to carry it.
async fn going(
    connected: &Connected,
    name: &str,
    named: &BTreeSet<&str>,
) -> Result<Vec<Target>, Failure> {
    let client = &connected.client;
    let filter = FunctionFilter {
        tags: [(MANIFEST_TAG.to_owned(), name.to_owned())].into(),
        page_size: Some(100),
        ..FunctionFilter::default()
    };
    let all = client.functions(filter).map_ok(|function| function.spec.function_name);
    let all: Vec<FunctionName> =
        all.try_filter(|name| ready(!named.contains(name.as_str()))).try_collect().await?;
    let (mut going, mut protected) = (Vec::new(), Vec::new());
    for function in all {
        match client.describe(&function).await {
            Ok(Described { function: now, etag }) => {
                if now.spec.tags.get(MANIFEST_TAG).is_some_and(|tag| tag == name) {
                    if now.spec.deletion_protection {
                        protected.push(function.to_string());
                    }
                    going.push(Target { name: function, etag: Some(etag) });
                }
            }
            // It has gone by itself.
            Err(error) if error.code() == Some(ProblemCode::FunctionNotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if protected.is_empty() {
        return Ok(going);
    }
    Err(Failure::Refused(format!(
        "{} would be deleted, and is protected from that: name it in the manifest, or take its \
         deletionProtection away",
        protected.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn a_summary_that_is_too_long_is_cut_at_a_line() {
        assert_eq!(within("a\nb\n", 4), "a\nb\n");
        let more = "\nThere is more, for which GitHub has no room.\n";
        assert_eq!(within("a\n\u{e4}\n", 4), format!("a\n{more}"));
        assert_eq!(within("abcde", 4), more);
    }
}
