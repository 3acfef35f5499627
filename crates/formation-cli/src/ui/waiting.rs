//! Lines of a log that wait to be sent: as many as somebody may still read, and no more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::live::Piece;

/// How many lines may wait: a page keeps no more than that.
pub const MOST_LINES: usize = 2000;
/// How many bytes they may have together.
const MOST_BYTES: usize = 2 * 1024 * 1024;
/// How large an event gets: what waits besides is in the next.
const EVENT_BYTES: usize = 256 * 1024;

#[derive(Default)]
struct Held {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// How many have been left out since it was last told.
    dropped: usize,
    has_ended: bool,
}

#[derive(Default)]
struct Shared {
    held: Mutex<Held>,
    news: Notify,
}

impl Shared {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who has lines.
pub struct Writer(Arc<Shared>);

/// Who sends them.
pub struct Reader {
    shared: Arc<Shared>,
    /// What is said in place of so many lines.
    left_out: fn(usize) -> String,
    _here: oneshot::Sender<()>,
}

/// Both, and what ends when nobody reads any more; `left_out` says that some lines are missing.
pub fn lines(left_out: fn(usize) -> String) -> (Writer, Reader, impl Future<Output = ()> + Send) {
    let shared = Arc::<Shared>::default();
    let (here, gone) = oneshot::channel::<()>();
    let gone = async {
        // It ends by the reader's own end: nothing is ever sent.
        let _ = gone.await;
    };
    (Writer(Arc::clone(&shared)), Reader { shared, left_out, _here: here }, gone)
}

impl Writer {
    /// Hands over a line. Where too many wait, the oldest are left out.
    pub fn put(&self, piece: Piece) {
        let mut held = self.0.held();
        held.bytes += piece.html.len();
        held.pieces.push_back(piece);
        while held.pieces.len() > MOST_LINES || (held.bytes > MOST_BYTES && held.pieces.len() > 1) {
            if let Some(oldest) = held.pieces.pop_front() {
                held.bytes -= oldest.html.len();
                held.dropped += 1;
            }
        }
        drop(held);
        self.0.news.notify_one();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.held().has_ended = true;
        self.0.news.notify_one();
    }
}

impl Reader {
    /// The lines that wait, as one piece, once there are some; nothing once there will be none.
    pub async fn next(&mut self) -> Option<Piece> {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.shared.news.notified().await;
        }
    }

    /// The lines that wait, or that there will be none, as far as it is known.
    fn take(&self) -> Option<Option<Piece>> {
        let mut held = self.shared.held();
        let mut taken = Piece::default();
        if held.dropped > 0 {
            taken.html = (self.left_out)(std::mem::take(&mut held.dropped));
        }
        while taken.html.len() < EVENT_BYTES
            && let Some(piece) = held.pieces.pop_front()
        {
            held.bytes -= piece.html.len();
            taken.html += &piece.html;
            taken.html.push('\n');
            // One that arrives late does not lead back.
            taken.place = taken.place.max(piece.place);
        }
        match (taken.html.is_empty(), held.has_ended) {
            (false, _) => Some(Some(taken)),
            (true, true) => Some(None),
            (true, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: i64, bytes: usize) -> Piece {
        Piece { html: format!("<p>{number}{}</p>", "x".repeat(bytes)), place: Some(number) }
    }

    fn told(count: usize) -> String {
        format!("<p>{count} left out</p>\n")
    }

    #[tokio::test]
    async fn many_lines_are_one_event_and_the_last_is_where_it_goes_on() {
        let (writer, mut reader, _) = lines(told);
        for number in [1, 3, 2] {
            writer.put(piece(number, 0));
        }
        let next = reader.next().await.unwrap();
        assert_eq!((next.html.as_str(), next.place), ("<p>1</p>\n<p>3</p>\n<p>2</p>\n", Some(3)));
        writer.put(piece(4, 0));
        drop(writer);
        assert_eq!(reader.next().await.unwrap().place, Some(4));
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test]
    async fn what_is_more_than_anybody_reads_is_left_out_from_its_beginning() {
        let (writer, mut reader, _) = lines(told);
        let all = i64::try_from(MOST_LINES).unwrap() + 500;
        for number in 0..all {
            writer.put(piece(number, 0));
        }
        let next = reader.next().await.unwrap();
        assert!(next.html.starts_with("<p>500 left out</p>\n<p>500</p>\n"), "{}", &next.html[..80]);
        assert_eq!(next.place, Some(all - 1));
        // Large ones by their bytes, and no event is larger than a few of them.
        for number in 0..400 {
            writer.put(piece(number, 16 * 1024));
        }
        let held = writer.0.held().bytes;
        assert!(held <= MOST_BYTES, "{held}");
        let next = reader.next().await.unwrap();
        assert!(next.html.contains(" left out"), "{}", &next.html[..80]);
        assert!(next.html.len() < EVENT_BYTES + 20 * 1024, "{}", next.html.len());
    }

    #[tokio::test]
    async fn who_writes_knows_that_nobody_reads() {
        let (_writer, reader, gone) = lines(told);
        let mut gone = std::pin::pin!(gone);
        let soon = std::time::Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, gone.as_mut()).await.is_err());
        drop(reader);
        gone.await;
    }
}
