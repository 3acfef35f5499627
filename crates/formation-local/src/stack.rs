//! `.local/stack.json`: where a deployed stack is, for people, clients and tests.

use std::path::Path;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use formation_client::{Client, ClientBuilder};
use serde::{Deserialize, Serialize};

use crate::error::LocalError;

/// A deployed stack.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// Where AWS answers.
    pub endpoint_url: String,
    /// Its Region.
    pub region: String,
    /// Its account.
    pub account_id: String,
    /// An access key that may do everything.
    pub access_key_id: String,
    /// The secret of that key.
    pub secret_access_key: String,
    /// Where the HTTP API answers.
    pub api_url: String,
    /// The workflow.
    pub state_machine_arn: String,
    /// The table of records.
    pub table_name: String,
    /// The bus on which outcomes are announced.
    pub event_bus_name: String,
    /// The bucket of code bundles.
    pub artifact_bucket: String,
    /// The name of the CloudFormation stack.
    pub stack_name: String,
}

impl Stack {
    /// A client of its API that signs as its own key.
    ///
    /// # Errors
    /// [`LocalError::Build`].
    pub fn client(&self) -> Result<Client, LocalError> {
        Ok(self.client_builder().build()?)
    }

    /// What such a client is built from.
    pub fn client_builder(&self) -> ClientBuilder {
        let credentials = SharedCredentialsProvider::new(self.credentials());
        Client::builder(&self.api_url, &self.region, credentials).given_explicitly()
    }

    /// Its own key.
    pub fn credentials(&self) -> Credentials {
        let (id, secret) = (&self.access_key_id, &self.secret_access_key);
        Credentials::new(id, secret, None, None, "formation-local")
    }

    /// Writes the stack to `path`.
    ///
    /// # Errors
    /// [`LocalError::File`].
    pub fn write(&self, path: &Path) -> Result<(), LocalError> {
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(path, json + "\n").map_err(LocalError::file(path))
    }
}
