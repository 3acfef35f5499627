//! Which stack a command is about, where its API is, and whose credentials sign.
//!
//! A flag counts before an environment variable, that before the manifest. Where the API is, the SSM
//! parameter of the stack says. Nothing is loaded before it is needed: credentials may ask a browser.

use std::path::{Path, PathBuf};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use formation_client::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{Aws, AwsError};
use crate::failure::Failure;
use crate::manifest::Lookup;

/// The name of a stack that nobody has named.
pub const USUAL_STACK: &str = "formation";
/// What `make run` writes.
const LOCAL: &str = ".local/stack.json";

/// How the user says which stack is meant.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Which stack")]
pub struct Connection {
    /// The stack's name [default: that of the manifest, or formation] [env: FORMATION_STACK]
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// The AWS Region [default: that of the profile]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// The profile in ~/.aws/config
    #[arg(long, global = true, value_name = "PROFILE")]
    pub profile: Option<String>,
    /// The API itself, instead of a stack's name [env: FORMATION_API_URL]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "stack")]
    pub api_url: Option<String>,
    /// The local AWS that `make run` has started here
    #[arg(long, global = true, conflicts_with_all = ["stack", "region", "profile", "api_url"])]
    pub local: bool,
}

/// A stack that can be asked.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Its API.
    pub client: Client,
    /// Its name, where it is known.
    pub stack: Option<String>,
    /// The AWS that it is in.
    pub aws: Aws,
}

impl Connected {
    /// One of the stack's managed policies by its name, to be told to people.
    pub fn policy(&self, kind: &str) -> String {
        let stack = self.stack.as_deref().unwrap_or("<stack>");
        format!("{stack}-{}-{kind}", self.aws.region)
    }
}

/// Where AWS is, and who asks.
pub(crate) struct Place {
    /// The Region, if one is chosen.
    pub region: Option<String>,
    /// What says so.
    pub region_from: &'static str,
    /// Where AWS is, if elsewhere than usual.
    pub endpoint_url: Option<String>,
    /// Whose credentials sign.
    pub credentials: Option<SharedCredentialsProvider>,
}

impl Place {
    /// The AWS of a Region, asked by `profile`, if there are credentials.
    pub fn aws(&self, region: String, profile: Option<String>) -> Option<Aws> {
        let (endpoint_url, credentials) = (self.endpoint_url.clone(), self.credentials.clone()?);
        Some(Aws { region, endpoint_url, credentials, profile })
    }
}

impl Connection {
    /// What the command line says, and where it does not say which stack, what the environment does.
    #[must_use]
    pub fn or_environment(self, lookup: Lookup<'_>) -> Self {
        if self.local || self.stack.is_some() || self.api_url.is_some() {
            return self;
        }
        let text = |name: &str| lookup(name).filter(|text| !text.is_empty());
        Self { stack: text("FORMATION_STACK"), api_url: text("FORMATION_API_URL"), ..self }
    }

    /// Finds the stack; `of_manifest` is the name that a manifest gives it.
    ///
    /// # Errors
    /// That nothing says which, that AWS does not know it, or does not tell this caller.
    pub async fn connect(&self, of_manifest: Option<&str>) -> Result<Connected, Failure> {
        if self.local {
            return local(&std::env::current_dir().unwrap_or_default());
        }
        self.stack_in(self.aws().await?, of_manifest).await
    }

    /// The AWS that is meant, whatever stack there is.
    ///
    /// # Errors
    /// That nothing says which Region, or there are no credentials.
    pub async fn aws(&self) -> Result<Aws, Failure> {
        if self.local {
            return Ok(local(&std::env::current_dir().unwrap_or_default())?.aws);
        }
        let place = self.place().await?;
        let region = place.region.clone().ok_or_else(|| {
            let profile = self.profile.clone().or_else(|| std::env::var("AWS_PROFILE").ok());
            let why = profile.map_or_else(String::new, |profile| {
                format!(", and the profile {profile} has no Region, or does not exist (`aws configure list-profiles`)")
            });
            Failure::Usage(format!(
                "no AWS Region is chosen{why}: use --region, AWS_REGION, or a profile that has one"
            ))
        })?;
        place.aws(region, self.profile.clone()).ok_or_else(|| {
            let text = "there are no AWS credentials: see `aws configure`, or use --profile";
            Failure::Denied(text.to_owned())
        })
    }

    /// Where AWS is and who asks, as far as anything says so.
    ///
    /// # Errors
    /// That there is no local AWS, if that is meant.
    pub(crate) async fn place(&self) -> Result<Place, Failure> {
        if self.local {
            let local = local(&std::env::current_dir().unwrap_or_default())?;
            let Aws { region, endpoint_url, credentials, .. } = local.aws;
            let (region, credentials) = (Some(region), Some(credentials));
            return Ok(Place { region, region_from: LOCAL, endpoint_url, credentials });
        }
        let config = self.config().await;
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let region_from = match self.region {
            Some(_) => "--region",
            None if is_set("AWS_REGION") => "AWS_REGION",
            None if is_set("AWS_DEFAULT_REGION") => "AWS_DEFAULT_REGION",
            None => "the profile, or the machine",
        };
        let region = config.region().map(ToString::to_string);
        // It becomes part of the names of hosts, to which what is signed goes.
        if let Some(region) = region.as_ref().filter(|region| !is_region(region)) {
            let text = format!("{region:?} is no AWS Region, which {region_from} says");
            return Err(Failure::Usage(text));
        }
        Ok(Place {
            region,
            region_from,
            endpoint_url: config.endpoint_url().map(str::to_owned),
            credentials: config.credentials_provider(),
        })
    }

    /// Finds the stack in the AWS that [`Connection::place`] has told of.
    ///
    /// # Errors
    /// As for [`Connection::connect`].
    pub(crate) async fn found(&self, aws: Aws) -> Result<Connected, Failure> {
        if self.local { self.connect(None).await } else { self.stack_in(aws, None).await }
    }

    /// Finds the stack in an AWS: see [`Connection::connect`].
    ///
    /// # Errors
    /// That AWS does not know it, or does not tell this caller.
    pub async fn stack_in(
        &self,
        aws: Aws,
        of_manifest: Option<&str>,
    ) -> Result<Connected, Failure> {
        let named = self.stack.as_deref().or(of_manifest);
        let builder = |url: &str| Client::builder(url, &aws.region, aws.credentials.clone());
        if let Some(url) = &self.api_url {
            let client = builder(url).given_explicitly().build()?;
            return Ok(Connected { client, stack: named.map(str::to_owned), aws });
        }
        let name = named.unwrap_or(USUAL_STACK);
        let client = builder(&api_url(&aws, name).await?).build()?;
        Ok(Connected { client, stack: Some(name.to_owned()), aws })
    }

    async fn config(&self) -> SdkConfig {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http);
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        loader.load().await
    }
}

/// Whether a text may be the name of a Region: letters, digits and hyphens.
fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.len() < 64
        && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '-')
}

/// What the stack's SSM parameter says of where its API is.
async fn api_url(aws: &Aws, stack: &str) -> Result<String, Failure> {
    let parameter = format!("/formation/{stack}/api-url");
    let answer = aws.json("ssm", "AmazonSSM.GetParameter", &json!({"Name": parameter})).await;
    let error = match answer {
        Ok(answer) => {
            let url = answer.pointer("/Parameter/Value").and_then(Value::as_str);
            let none = || Failure::Other(format!("the SSM parameter {parameter} has no value"));
            return url.map(str::to_owned).ok_or_else(none);
        }
        Err(error) => error,
    };
    Err(match &error {
        AwsError::Refused { code, .. } if code == "ParameterNotFound" => Failure::Refused(format!(
            "there is no stack {stack} in {} (no SSM parameter {parameter}): use --stack and \
             --region; a stack before 0.3.0 is named by --api-url",
            aws.region
        )),
        AwsError::Refused { message, .. } if error.is_denied() => Failure::Denied(format!(
            "AWS does not let you read the SSM parameter {parameter} ({message}): each of the \
             stack's managed policies allows it; or use --api-url"
        )),
        _ => aws.failure("AWS has not told where the API is", &error),
    })
}

/// What `make run` writes about the local AWS.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocalStack {
    endpoint_url: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    api_url: String,
    stack_name: String,
}

/// The local AWS of the folder, or of the nearest above that has one.
fn local(folder: &Path) -> Result<Connected, Failure> {
    let found = folder.ancestors().map(|it| it.join(LOCAL)).find(|it| it.is_file());
    let Some(file) = found else {
        let text = format!("there is no {LOCAL} here or above: `make run` starts a local AWS");
        return Err(Failure::Refused(text));
    };
    if !is_ours(&file) {
        // It says where the environment of functions goes, in a folder that anybody may write to, as /tmp.
        let text = format!("{} is another user's: it is not trusted", file.display());
        return Err(Failure::Refused(text));
    }
    let stack = read_local(&file)?;
    let (key, secret) = (&stack.access_key_id, &stack.secret_access_key);
    let credentials = Credentials::new(key, secret, None, None, "local AWS");
    let credentials = SharedCredentialsProvider::new(credentials);
    let client = Client::builder(&stack.api_url, &stack.region, credentials.clone());
    Ok(Connected {
        client: client.given_explicitly().build()?,
        stack: Some(stack.stack_name),
        aws: Aws {
            region: stack.region,
            endpoint_url: Some(stack.endpoint_url),
            credentials,
            profile: None,
        },
    })
}

/// Whether a file is the user's, or the system's.
#[cfg(unix)]
fn is_ours(file: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;

    let user = rustix::process::geteuid().as_raw();
    file.metadata().is_ok_and(|it| [0, user].contains(&it.uid()))
}

#[cfg(not(unix))]
fn is_ours(_: &Path) -> bool {
    true
}

fn read_local(file: &PathBuf) -> Result<LocalStack, Failure> {
    let text = std::fs::read(file)
        .map_err(|error| Failure::other(format!("{} cannot be read", file.display()), &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::other(format!("{} is not as `make run` writes it", file.display()), &error)
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn a_flag_counts_before_the_environment() {
        let connection = |flags: &str, variables: &[(&str, &str)]| {
            let words = ["formation", "list"].into_iter().chain(flags.split_whitespace());
            let lookup = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let cli = Cli::try_parse_from(words).ok()?;
            let Connection { stack, api_url, local, .. } = cli.connection.or_environment(&lookup);
            Some((stack.unwrap_or_default(), api_url.unwrap_or_default(), local))
        };
        let both = [("FORMATION_STACK", "env"), ("FORMATION_API_URL", "https://env")];
        let empty = [("FORMATION_STACK", ""), ("FORMATION_API_URL", "")];
        for (flags, variables, expected) in [
            ("", &both[..], Some(("env", "https://env", false))),
            ("", &both[..1], Some(("env", "", false))),
            ("", &empty, Some(("", "", false))),
            ("--stack dev", &both, Some(("dev", "", false))),
            ("--api-url https://a", &both, Some(("", "https://a", false))),
            ("--local", &both, Some(("", "", true))),
            ("--local --stack dev", &[], None),
            ("--local --api-url https://a", &[], None),
            ("--stack dev --api-url https://a", &[], None),
        ] {
            let expected = expected.map(|(a, b, local)| (a.to_owned(), b.to_owned(), local));
            assert_eq!(connection(flags, variables), expected, "{flags} {variables:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_users_own_file_tells_of_a_local_aws() {
        let folder = tempfile::TempDir::with_prefix("formation-").unwrap();
        let below = folder.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        std::fs::create_dir(folder.path().join(".local")).unwrap();
        let file = folder.path().join(LOCAL);
        std::fs::write(&file, "{}").unwrap();
        let told = || local(&below).unwrap_err().to_string();
        assert!(told().contains("is not as `make run` writes it"), "{}", told());
        // Only root can give a file away.
        if std::os::unix::fs::chown(&file, Some(4321), None).is_ok() {
            assert!(told().contains("another user's"), "{}", told());
        }
    }
}
