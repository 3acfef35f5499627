//! The routes of functions.

use std::collections::BTreeMap;

use formation_model::{
    DriftReport, Function, FunctionName, FunctionPlan, FunctionStatus, Page, Plans, RollbackRequest,
};
use futures_util::Stream;
use http::Method;
use serde::Serialize;

use crate::change::{Change, Condition, Described};
use crate::client::{Client, Request};
use crate::error::ClientError;
use crate::pages::{items, page};

const FUNCTIONS: &str = "/v1/functions";

pub(crate) fn path(name: &FunctionName) -> String {
    format!("{FUNCTIONS}/{name}")
}

/// Which functions to list; all by default.
#[derive(Clone, Debug, Default)]
pub struct FunctionFilter {
    /// Only those with this status.
    pub status: Option<FunctionStatus>,
    /// Only those whose name begins so.
    pub prefix: Option<String>,
    /// Only those that have all of these tags. A page may hold fewer than [`Self::page_size`], or none,
    /// and lead on.
    pub tags: BTreeMap<String, String>,
    /// How many a page holds at the most, 1 to 100.
    pub page_size: Option<u32>,
}

impl Client {
    /// Creates a function. `function` is the document of the API's `POST /v1/functions`:
    /// `functionName`, `code`, and what is not to have its default.
    pub fn create(&self, function: &impl Serialize) -> Change {
        Change::new(self, Method::POST, FUNCTIONS).body(function)
    }

    /// Tells what the PUTs of up to 100 functions would do, in their order, and does nothing. Each is the
    /// document that [`Client::put`] takes, with its `functionName`; of its code a digest is enough
    /// (`{"sha256": ...}`). What would be refused has `errors` in its plan. So has what there was no time
    /// for, with the code SERVICE_UNAVAILABLE: the client does not repeat that, since the request as a
    /// whole has been answered. Ask for it again, with fewer beside it.
    ///
    /// # Errors
    /// As for every request: see [`ClientError`].
    pub async fn plan(
        &self,
        functions: &[impl Serialize],
    ) -> Result<Vec<FunctionPlan>, ClientError> {
        #[derive(Serialize)]
        struct Asked<'a, Function> {
            functions: &'a [Function],
        }

        let mut request = Request::new(Method::POST, "/v1/plan");
        request.json(&Asked { functions })?;
        let Plans { plans } = self.send(&request).await?.read()?;
        Ok(plans)
    }

    /// Describes a function.
    ///
    /// # Errors
    /// The problem `FUNCTION_NOT_FOUND`, and as for every request: see [`ClientError`].
    pub async fn describe(&self, name: &FunctionName) -> Result<Described, ClientError> {
        Described::read(&self.send(&Request::get(path(name))).await?)
    }

    /// Every function that fits `filter`, by name, page after page as they are asked for: each page is
    /// strongly consistent.
    pub fn functions(
        &self,
        filter: FunctionFilter,
    ) -> impl Stream<Item = Result<Function, ClientError>> + Send + use<> {
        let client = self.clone();
        items(move |token| {
            let (client, filter) = (client.clone(), filter.clone());
            async move { client.functions_page(&filter, token.as_deref()).await }
        })
    }

    /// One page of the functions that fit `filter`: the first, or the one that `token` of the page
    /// before leads to.
    ///
    /// # Errors
    /// As for every request: see [`ClientError`].
    pub async fn functions_page(
        &self,
        filter: &FunctionFilter,
        token: Option<&str>,
    ) -> Result<Page<Function>, ClientError> {
        let mut request = Request::get(FUNCTIONS);
        let parameters = [
            ("status", filter.status.map(|status| status.as_str().to_owned())),
            ("prefix", filter.prefix.clone()),
        ];
        for (name, value) in parameters {
            if let Some(value) = value {
                request.query(name, &value);
            }
        }
        page(&mut request, filter.page_size, token);
        for (key, value) in &filter.tags {
            request.query("tag", &format!("{key}:{value}"));
        }
        let mut page: Page<Function> = self.send(&request).await?.read()?;
        // The query joins key and value by a colon, which both may hold: `app:tier` = `web` is asked for
        // as `app` = `tier:web` is, and the API answers both.
        page.items.retain(|function| {
            filter.tags.iter().all(|(key, value)| function.spec.tags.get(key) == Some(value))
        });
        Ok(page)
    }

    /// Creates a function, or replaces it whole: what `function` does not name gets its default.
    pub fn put(
        &self,
        name: &FunctionName,
        function: &impl Serialize,
        condition: &Condition,
    ) -> Change {
        Change::new(self, Method::PUT, path(name)).body(function).on(condition)
    }

    /// Changes what `patch`, a JSON merge patch (RFC 7396), names, and leaves the rest as it is:
    /// fields too that this release of the client does not know.
    pub fn patch(&self, name: &FunctionName, patch: &impl Serialize) -> Change {
        Change::new(self, Method::PATCH, path(name)).body(patch)
    }

    /// Deletes a function with all its parts.
    pub fn delete(&self, name: &FunctionName) -> Change {
        Change::new(self, Method::DELETE, path(name))
    }

    /// Brings AWS back to what is recorded of a function; where a create could not be undone,
    /// finishes undoing it.
    pub fn repair(&self, name: &FunctionName) -> Change {
        Change::new(self, Method::POST, format!("{}/repair", path(name)))
    }

    /// Takes a function back to an earlier revision, the one before the current if none is named: its callers
    /// first, at once where its version is kept.
    pub fn roll_back(&self, name: &FunctionName, revision: Option<u64>) -> Change {
        let change = Change::new(self, Method::POST, format!("{}/rollback", path(name)));
        change.body(&RollbackRequest { revision })
    }

    /// Compares a function with AWS, now.
    ///
    /// # Errors
    /// The problem `FUNCTION_NOT_FOUND`, and as for every request: see [`ClientError`].
    pub async fn drift(&self, name: &FunctionName) -> Result<DriftReport, ClientError> {
        self.send(&Request::get(format!("{}/drift", path(name)))).await?.read()
    }
}
