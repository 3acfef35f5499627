//! Streams of events, one a page: what is shown anew, as it changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{Stream, unfold};
use http::header::CONTENT_TYPE;
use tokio::time::timeout;

use super::App;
use super::watch::{Seen, Sight};

/// How often a stream says that it is there, so that it is known which are gone.
const BEAT: Duration = Duration::from_secs(15);
/// Nothing, in a stream of events.
const NOTHING: &str = ":\n\n";
/// The event after which a page does not ask again.
const ENDED: &str = "event: ended\ndata:\n\n";

/// What is to be shown.
pub enum Next {
    /// This, and more may come.
    Shown(String),
    /// This, and nothing will come after it.
    Last(String),
}

/// An event that shows a piece of HTML.
/// Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
fn event(html: &str) -> String {
    let mut event = String::with_capacity(html.len() + 64);
    for line in html.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        event += "data: ";
        event += line;
        event.push('\n');
    }
    if event.is_empty() { NOTHING.to_owned() } else { event + "\n" }
}

/// Answers what `show` makes of what is seen, at once and each time that it has changed.
pub fn changes<T: Send + Sync + 'static>(
    app: Arc<App>,
    mut sight: Sight<T>,
    show: impl Fn(&App, &Seen<T>) -> Next + Send + Sync + 'static,
) -> Response {
    // What is there is shown at once.
    sight.mark_changed();
    let show = Arc::new(show);
    let stream = unfold(Some((sight, String::new())), move |state| {
        let (app, show) = (Arc::clone(&app), Arc::clone(&show));
        async move {
            let (mut sight, shown) = state?;
            loop {
                if !app.session.is_alive() {
                    return None;
                }
                match timeout(BEAT, sight.changed()).await {
                    Err(_) => return Some((NOTHING.to_owned(), Some((sight, shown)))),
                    Ok(Err(_)) => return Some((ENDED.to_owned(), None)),
                    Ok(Ok(())) => {}
                }
                let seen = sight.borrow_and_update().clone();
                let Some(seen) = seen else { continue };
                match show(&app, &seen) {
                    Next::Shown(html) if html != shown => {
                        return Some((event(&html), Some((sight, html))));
                    }
                    Next::Last(html) => return Some((event(&html) + ENDED, None)),
                    Next::Shown(_) => {}
                }
            }
        }
    });
    answer(stream)
}

/// Answers the events that another task sends, until it ends.
pub fn sent(app: Arc<App>, events: tokio::sync::mpsc::Receiver<String>) -> Response {
    let stream = unfold(Some(events), move |events| {
        let app = Arc::clone(&app);
        async move {
            let mut events = events?;
            if !app.session.is_alive() {
                return None;
            }
            match timeout(BEAT, events.recv()).await {
                Err(_) => Some((NOTHING.to_owned(), Some(events))),
                Ok(Some(html)) => Some((event(&html), Some(events))),
                Ok(None) => Some((ENDED.to_owned(), None)),
            }
        }
    });
    answer(stream)
}

fn answer(events: impl Stream<Item = String> + Send + 'static) -> Response {
    use futures_util::StreamExt;

    let bytes = events.map(|event| Ok::<_, Infallible>(Bytes::from(event)));
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(bytes)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_lines_of_data_whatever_is_shown() {
        assert_eq!(event("<p>a</p>\n<p>b</p>\n"), "data: <p>a</p>\ndata: <p>b</p>\n\n");
        // No line of what is shown can become a field of its own.
        assert_eq!(event("a\r\nevent: x\rid: 1"), "data: a\ndata: event: x\ndata: id: 1\n\n");
        assert_eq!(event(""), ":\n\n");
    }
}
