//! Lists, page by page.

use formation_model::Page;
use futures_util::stream::{self, Stream, TryStreamExt};
use http::StatusCode;

use crate::client::Request;
use crate::error::ClientError;

/// Where a list goes on.
enum Next {
    First,
    After(String),
    Nowhere,
}

/// Asks for one page of a list: the first, or the one that `token` leads to, of this size at the most.
pub(crate) fn page(request: &mut Request, size: Option<u32>, token: Option<&str>) {
    if let Some(size) = size {
        request.query("limit", &size.to_string());
    }
    if let Some(token) = token {
        request.query("nextToken", token);
    }
}

/// The items of all pages; a page is asked for when the one before is used up.
pub(crate) fn items<Item: Send, Fetch>(
    page: impl Fn(Option<String>) -> Fetch + Send,
) -> impl Stream<Item = Result<Item, ClientError>> + Send
where
    Fetch: Future<Output = Result<Page<Item>, ClientError>> + Send,
{
    let fetch = move |next| {
        let token = match next {
            Next::First => Some(None),
            Next::After(token) => Some(Some(token)),
            Next::Nowhere => None,
        };
        let fetched = token.map(|token| (page(token.clone()), token));
        async move {
            let Some((fetched, token)) = fetched else { return Ok(None) };
            let Page { items, next_token } = fetched.await?;
            let next = match next_token {
                None => Next::Nowhere,
                // Else it would never end.
                Some(next) if token.as_ref() == Some(&next) => {
                    let reason = "its next page is itself".to_owned();
                    return Err(ClientError::Unreadable { status: StatusCode::OK, reason });
                }
                Some(next) => Next::After(next),
            };
            Ok(Some((stream::iter(items.into_iter().map(Ok)), next)))
        }
    };
    stream::try_unfold(Next::First, fetch).try_flatten()
}
