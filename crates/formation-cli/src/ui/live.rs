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
use super::waiting::Reader;
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

/// A piece of HTML, and after which place a page goes on that has lost its stream there.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Piece {
    /// The piece.
    pub html: String,
    /// What a browser sends as `Last-Event-ID` when it comes back.
    pub place: Option<i64>,
}

/// An event that shows a piece of HTML.
/// Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
fn event(piece: &Piece) -> String {
    let html = piece.html.trim_matches(['\n', '\r']);
    if html.is_empty() {
        return NOTHING.to_owned();
    }
    let mut event = String::with_capacity(html.len() + 64);
    // What a line is, is the standard's word: no line of what is shown can become a field of its own.
    for line in html.replace("\r\n", "\n").split(['\n', '\r']) {
        event += "data: ";
        event += line;
        event.push('\n');
    }
    if let Some(place) = piece.place {
        event += &format!("id: {place}\n");
    }
    event + "\n"
}

fn shown(html: &str) -> String {
    event(&Piece { html: html.to_owned(), place: None })
}

/// Answers what `show` makes of what is seen, at once and each time that it has changed.
pub fn changes<T: Send + Sync + 'static>(
    app: Arc<App>,
    mut sight: Sight<T>,
    show: impl Fn(&App, &Seen<T>) -> Next + Send + Sync + 'static,
) -> Response {
    // What is there is shown at once.
    sight.anew();
    let show = Arc::new(show);
    let stream = unfold(Some((sight, String::new())), move |state| {
        let (app, show) = (Arc::clone(&app), Arc::clone(&show));
        async move {
            let (mut sight, before) = state?;
            loop {
                if !app.session.is_alive() {
                    return None;
                }
                let seen = match timeout(BEAT, sight.next()).await {
                    Err(_) => return Some((NOTHING.to_owned(), Some((sight, before)))),
                    // Nobody looks any more, and nothing has ended: whoever comes back is told more.
                    Ok(None) => return None,
                    Ok(Some(seen)) => seen,
                };
                match show(&app, &seen) {
                    Next::Shown(html) if html != before => {
                        return Some((shown(&html), Some((sight, html))));
                    }
                    Next::Last(html) => return Some((shown(&html) + ENDED, None)),
                    Next::Shown(_) => {}
                }
            }
        }
    });
    answer(stream)
}

/// Answers the pieces that another task hands over, until it ends.
pub fn sent(app: Arc<App>, pieces: Reader) -> Response {
    let stream = unfold(Some(pieces), move |pieces| {
        let app = Arc::clone(&app);
        async move {
            let mut pieces = pieces?;
            if !app.session.is_alive() {
                return None;
            }
            match timeout(BEAT, pieces.next()).await {
                Err(_) => Some((NOTHING.to_owned(), Some(pieces))),
                Ok(Some(piece)) => Some((event(&piece), Some(pieces))),
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
        assert_eq!(shown("<p>a</p>\n<p>b</p>\n"), "data: <p>a</p>\ndata: <p>b</p>\n\n");
        // No line of what is shown can become a field of its own, and none is lost.
        let told = "data: a\ndata: \ndata: event: x\ndata: id: 1\n\n";
        assert_eq!(shown("a\r\n\nevent: x\rid: 1"), told);
        assert_eq!(shown(""), ":\n\n");
        let piece = Piece { html: "a".to_owned(), place: Some(7) };
        assert_eq!(event(&piece), "data: a\nid: 7\n\n");
    }
}
