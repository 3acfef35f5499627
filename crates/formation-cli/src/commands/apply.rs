//! `formation apply`

use formation_client::{Changed, ClientError, Condition, ETag};
use formation_model::bundle::MAX_ZIP_BYTES;
use formation_model::plans::FunctionPlan;
use formation_model::{ProblemCode, UploadRequest};
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde_json::{Value, json};

use super::became::{Became, shown, worst};
use super::change;
use super::plan::{Prepared, names, prepare, summarise};
use super::{TRIES, busy_with, confirm, others_in_the_way};
use crate::args::{Apply, Connection};
use crate::changing::Kind;
use crate::deploy::conflict::theirs;
use crate::deploy::planned::{Planned, accepted, ask, document};
use crate::deploy::show::{Sum, outcomes as outcomes_of, text};
use crate::deploy::sources::Source;
use crate::failure::Failure;
use crate::folder::Archive;
use crate::follow::{Followed, Follower};
use crate::interrupt::Interrupt;
use crate::manifest::{Manifest, Misplaced};
use crate::outcome::Outcome;
use crate::output::Output;

pub(super) async fn run(
    connection: &Connection,
    asked: &Apply,
    output: &Output,
) -> Result<Outcome, Failure> {
    let interrupt = Interrupt::listen();
    let patience = asked.patience.time();
    let prepared = prepare(connection, &asked.manifest, &interrupt, Some(patience), output).await?;
    prepared.summarise()?;
    let Prepared { manifest, connected, planned, going } = prepared;
    output.progress(&text(&planned, &names(&going)));
    if !Sum::of(&planned, going.len()).changes() {
        return shown(&[], output);
    }
    if !confirm("Do this?", asked.yes, &interrupt, output).await? {
        output.progress("nothing was done");
        return Ok(Outcome::Refused);
    }
    let follower = Follower { client: &connected.client, patience, interrupt: &interrupt, output };
    let profile = connected.aws.profile.as_deref();
    let deploy = Deploy { manifest: &manifest, follower, profile };
    let changed = planned.into_iter().filter(Planned::changes);
    let became = stream::iter(changed).map(|planned| deploy.became(planned));
    let mut became: Vec<Became> = became.buffer_unordered(asked.parallel.max(1)).collect().await;
    // In the manifest's order.
    became.sort_by(|one, other| one.name.cmp(&other.name));
    // What is no longer named goes last, and only where all that is named has come.
    if worst(&became) != Outcome::Done && !going.is_empty() {
        output.progress("nothing was deleted, since not everything else is as asked");
    } else {
        became.extend(change::each(follower, Kind::Delete, &going, profile).await);
    }
    // What was done is done, whoever is told of it.
    let ended: Vec<_> = became.iter().map(Became::ended).collect();
    if let Err(failure) = summarise(&outcomes_of(&ended)) {
        output.progress(&failure.to_string());
    }
    shown(&became, output)
}

struct Deploy<'a> {
    manifest: &'a Manifest,
    follower: Follower<'a>,
    profile: Option<&'a str>,
}

impl Deploy<'_> {
    /// Deploys a function, and tells what becomes of it.
    async fn became(&self, planned: Planned) -> Became {
        let (name, output) = (planned.wanted.name.clone(), self.follower.output);
        match self.one(planned).await {
            Ok(Some(followed)) => Became::of(followed, self.profile, output),
            Ok(None) => Became::done(&name, "is as asked", output),
            Err(failure) => Became::refused(&name, &failure, self.profile, output),
        }
    }

    /// The operation that was run, or the one in its way that has not ended; none if nothing was to be
    /// done.
    async fn one(&self, mut planned: Planned) -> Result<Option<Followed>, Failure> {
        let Follower { client, interrupt, .. } = self.follower;
        let name = planned.wanted.name.clone();
        for _ in 0..TRIES {
            let code = interrupt.before(self.code(&planned)).await?;
            let condition = match &planned.plan.etag {
                Some(etag) => Condition::Matches(ETag::from(etag.clone())),
                None => Condition::Absent,
            };
            let document = document(&planned.wanted, code);
            let error = match client.put(&name, &document, &condition).await {
                Ok(Changed::Accepted(accepted)) => {
                    return Ok(Some(self.follower.follow(accepted.operation).await));
                }
                Ok(_) => return Ok(None),
                Err(error) => error,
            };
            if let Some(operation) = busy_with(&error) {
                let before = self.follower.first(&name, operation).await?;
                if !before.operation.has_ended() {
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
            planned = interrupt.before(self.again(planned)).await?;
            if !planned.changes() {
                return Ok(None);
            }
            // What was planned, and agreed to, was another change.
            if planned.plan.etag != before.etag {
                return Err(conflicting(&before, planned));
            }
        }
        Err(others_in_the_way())
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
        let Follower { client, output, .. } = self.follower;
        output.step(&format!("{name}: {what}"));
        let busy = output.busy(name.as_str());
        busy.tell(&what, "");
        let asked = UploadRequest { size_bytes: bytes.len() as u64, sha256: sha256.clone() };
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
        let plans = ask(self.follower.client, &one).await?;
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
