//! The routes of revisions.

use formation_model::{FunctionName, Page, Revision};
use futures_util::Stream;

use crate::client::{Client, Request};
use crate::error::ClientError;
use crate::functions::path;
use crate::pages::{items, page};

impl Client {
    /// A function's revisions that are kept, newest first, page after page as they are asked for.
    pub fn revisions(
        &self,
        name: FunctionName,
    ) -> impl Stream<Item = Result<Revision, ClientError>> + Send + use<> {
        let client = self.clone();
        items(move |token| {
            let (client, name) = (client.clone(), name.clone());
            async move { client.revisions_page(&name, None, token.as_deref()).await }
        })
    }

    /// One page of a function's revisions: the first, or the one that `token` of the page before leads
    /// to. It holds `page_size` revisions at the most, 1 to 100.
    ///
    /// # Errors
    /// The problem `FUNCTION_NOT_FOUND`, and as for every request: see [`ClientError`].
    pub async fn revisions_page(
        &self,
        name: &FunctionName,
        page_size: Option<u32>,
        token: Option<&str>,
    ) -> Result<Page<Revision>, ClientError> {
        let mut request = Request::get(format!("{}/revisions", path(name)));
        page(&mut request, page_size, token);
        self.send(&request).await?.read()
    }

    /// A revision of a function, with what the function was.
    ///
    /// # Errors
    /// The problems `FUNCTION_NOT_FOUND` and `REVISION_NOT_FOUND`, and as for every request: see
    /// [`ClientError`].
    pub async fn revision(
        &self,
        name: &FunctionName,
        revision: u64,
    ) -> Result<Revision, ClientError> {
        let target = format!("{}/revisions/{revision}", path(name));
        self.send(&Request::get(target)).await?.read()
    }
}
