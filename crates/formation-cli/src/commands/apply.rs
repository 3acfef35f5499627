//! `formation apply`

use std::time::Duration;

use formation_client::{Changed, ClientError, Condition, ETag};
use formation_model::bundle::MAX_ZIP_BYTES;
use formation_model::plans::FunctionPlan;
use formation_model::{FunctionName, Operation, ProblemCode, UploadRequest};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde_json::{Value, json};

use super::change::{self, Kind};
use super::plan::{Prepared, prepare, summarise};
use super::{busy_with, confirm};
use crate::args::{Apply, Connection};
use crate::connect::Connected;
use crate::deploy::conflict::theirs;
use crate::deploy::planned::{Planned, accepted, ask, document};
use crate::deploy::show::{Ended, Sum, outcomes as outcomes_of, text};
use crate::deploy::sources::Source;
use crate::failure::Failure;
use crate::folder::Archive;
use crate::follow::{self, follow};
use crate::interrupt::Interrupt;
use crate::manifest::{Manifest, Misplaced};
use crate::outcome::Outcome;
use crate::output::Output;

/// How often a function is planned anew because another operation was in the way.
const TRIES: usize = 5;

pub(super) async fn run(
    connection: &Connection,
    asked: &Apply,
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let patience = Duration::from_secs(asked.patience.timeout);
    let prepared = prepare(connection, &asked.manifest, &interrupt, Some(patience), output).await?;
    prepared.summarise()?;
    let Prepared { manifest, connected, planned, going } = prepared;
    output.progress(&text(&planned, &going));
    if !Sum::of(&planned, going.len()).changes() {
        return shown(&[], Outcome::Done, output);
    }
    if !confirm("Do this?", asked.yes, &interrupt, output).await? {
        output.progress("nothing was done");
        return Ok(Outcome::Refused);
    }
    let deploy = Deploy {
        manifest: &manifest,
        connected: &connected,
        interrupt: &interrupt,
        patience,
        output,
    };
    let changed = planned.into_iter().filter(Planned::changes);
    let outcomes = stream::iter(changed).map(|planned| deploy.told(planned));
    let outcomes: Vec<(Outcome, Ended, Option<Operation>)> =
        outcomes.buffer_unordered(asked.parallel.max(1)).collect().await;
    let mut all = outcomes.iter().fold(Outcome::Done, |all, (one, _, _)| all.and(*one));
    let mut ended = Vec::new();
    let mut operations = Vec::new();
    for (_, one, operation) in outcomes {
        ended.push(one);
        operations.extend(operation);
    }
    // What is no longer named goes last, and only where all that is named has come.
    if all != Outcome::Done && !going.is_empty() {
        output.progress("nothing was deleted, since not everything else is as asked");
    } else {
        for name in going {
            let told = match all {
                // Whoever has stopped following has stopped what is not begun.
                Outcome::Running => {
                    output.progress(&format!("{name}: not begun"));
                    "not begun".to_owned()
                }
                _ => {
                    let one = std::slice::from_ref(&name);
                    let gone =
                        change::each(&connected, Kind::Delete, one, patience, &interrupt, output);
                    let gone = gone.await;
                    all = all.and(gone);
                    format!("delete {}", gone.word())
                }
            };
            ended.push(Ended { name, told, link: None });
        }
    }
    // What was done is done, whoever is told of it.
    if let Err(failure) = summarise(&outcomes_of(&ended)) {
        output.progress(&failure.to_string());
    }
    shown(&operations, all, output)
}

/// Shows the operations for programs: people have followed them.
fn shown(operations: &[Operation], outcome: Outcome, output: &Output) -> Result<Outcome, Failure> {
    let names = |all: &&[Operation]| all.iter().map(|it| it.function_name.to_string()).collect();
    output.show(&operations, |_| String::new(), names)?;
    Ok(outcome)
}

struct Deploy<'a> {
    manifest: &'a Manifest,
    connected: &'a Connected,
    interrupt: &'a Interrupt,
    patience: Duration,
    output: &'a Output,
}

impl Deploy<'_> {
    /// Deploys a function, and tells what becomes of it.
    async fn told(&self, planned: Planned) -> (Outcome, Ended, Option<Operation>) {
        let name = planned.wanted.name.clone();
        let ended = |told: String| Ended { name: name.clone(), told, link: None };
        match self.one(planned).await {
            Ok(Some(operation)) => {
                self.output.progress(&follow::outcome(&operation));
                let outcome = Outcome::of(&operation);
                let link = Some(operation.console_url.clone());
                let ended = Ended { link, ..ended(follow::in_short(&operation)) };
                (outcome, ended, Some(operation))
            }
            Ok(None) => {
                self.output.progress(&format!("{name}: is as asked"));
                (Outcome::Done, ended("is as asked".to_owned()), None)
            }
            Err(failure) => {
                self.output.progress(&format!("{name}: {failure}"));
                let outcome = failure.outcome();
                (outcome, ended(format!("{}: {failure}", outcome.word())), None)
            }
        }
    }

    /// The operation that was run, as it ended or as it was last seen; none if nothing was to be done.
    async fn one(&self, mut planned: Planned) -> Result<Option<Operation>, Failure> {
        let client = &self.connected.client;
        let name = planned.wanted.name.clone();
        for _ in 0..TRIES {
            if self.interrupt.is_pressed() {
                return Err(Failure::Refused("interrupted before it was begun".to_owned()));
            }
            let code = self.code(&planned).await?;
            let condition = match &planned.plan.etag {
                Some(etag) => Condition::Matches(ETag::from(etag.clone())),
                None => Condition::Absent,
            };
            let document = document(&planned.wanted, code);
            let error = match client.put(&name, &document, &condition).await {
                Ok(Changed::Accepted(accepted)) => {
                    let id = accepted.operation.operation_id;
                    return self.follow(&name, id).await.map(Some);
                }
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            if let Some(operation) = busy_with(&error) {
                let text =
                    format!("{name}: operation {operation} runs on it; following that first");
                self.output.progress(&text);
                let before = self.follow(&name, operation).await?;
                if !before.has_ended() {
                    return Ok(Some(before));
                }
            } else if matches!(
                error.code(),
                Some(ProblemCode::PreconditionFailed | ProblemCode::FunctionExists)
            ) {
                return Err(self.conflict(planned).await);
            } else {
                return Err(self.at_its_place(&planned, error));
            }
            let before = planned.plan.clone();
            planned = self.again(planned).await?;
            if !planned.changes() {
                return Ok(None);
            }
            // What was planned, and agreed to, was another change.
            if planned.plan.etag != before.etag {
                return Err(conflicting(&before, planned));
            }
        }
        Err(Failure::Other("other operations are in the way, one after the other".to_owned()))
    }

    async fn follow(
        &self,
        name: &FunctionName,
        id: formation_model::OperationId,
    ) -> Result<Operation, Failure> {
        follow(&self.connected.client, name, id, self.patience, self.interrupt, self.output).await
    }

    /// The code as a PUT takes it: uploaded where it is other than what is recorded, and large.
    async fn code(&self, planned: &Planned) -> Result<Value, Failure> {
        let archive = match &planned.source {
            Source::Archive(archive) if planned.changes_code() => archive,
            source => return Ok(source.named()),
        };
        let Archive { bytes, sha256 } = archive;
        if bytes.len() <= MAX_ZIP_BYTES {
            return Ok(json!({"zipFile": base64(bytes)}));
        }
        let name = &planned.wanted.name;
        let what = format!("uploads {:.1} MB", bytes.len() as f64 / 1e6);
        self.output.step(&format!("{name}: {what}"));
        let busy = self.output.busy(name.as_str());
        busy.tell(&what, "");
        let asked = UploadRequest { size_bytes: bytes.len() as u64, sha256: sha256.clone() };
        let client = &self.connected.client;
        let mut upload = client.create_upload(&asked).await?;
        match client.put_upload(&upload, bytes.clone()).await {
            // The link ends with the credentials that it was signed with, which may be soon.
            Err(ClientError::Storage { status: StatusCode::FORBIDDEN, .. }) => {
                upload = client.create_upload(&asked).await?;
                client.put_upload(&upload, bytes.clone()).await?;
            }
            put => put?,
        }
        Ok(json!({"uploadId": upload.upload_id}))
    }

    /// The same function, planned anew.
    async fn again(&self, planned: Planned) -> Result<Planned, Failure> {
        let Planned { wanted, source, .. } = planned;
        let one = vec![(wanted, source)];
        let plans = ask(&self.connected.client, &one).await?;
        let again = accepted(self.manifest, one, plans)?.into_iter().next();
        again.ok_or_else(|| Failure::Other("the API planned nothing".to_owned()))
    }

    /// Somebody has changed the function since the plan.
    async fn conflict(&self, planned: Planned) -> Failure {
        let name = planned.wanted.name.clone();
        let before = planned.plan.clone();
        match self.again(planned).await {
            Ok(now) => conflicting(&before, now),
            Err(failure) => Failure::Refused(format!(
                "somebody has changed {name} since the plan, and it cannot be planned anew: {failure}"
            )),
        }
    }

    /// What the API says of fields, at their places in the manifest.
    fn at_its_place(&self, planned: &Planned, error: ClientError) -> Failure {
        let fields = error.problem().map(|problem| problem.errors.as_slice()).unwrap_or_default();
        if fields.is_empty() {
            return error.into();
        }
        let found = fields.iter().map(|field| {
            let message = format!("{} ({})", field.detail, field.code);
            Misplaced::new(planned.wanted.place_of(&field.pointer), message)
        });
        self.manifest.problems(found.collect()).into()
    }
}

/// What somebody has done to a function since the plan, and what is left to do.
fn conflicting(before: &FunctionPlan, now: Planned) -> Failure {
    let theirs = theirs(before, &now.plan).join("\n    ");
    let left = match now.changes() {
        true => format!("what is left to do is now:\n{}", text(&[now], &[])),
        false => "nothing is left to do".to_owned(),
    };
    Failure::Refused(format!(
        "somebody has changed it since the plan, and nothing was done:\n    {theirs}\n{left}\n\
         help: `formation apply` plans anew"
    ))
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine;

    ::base64::prelude::BASE64_STANDARD.encode(bytes)
}
