//! A terminal of its own for a command, and what a person sees there.

use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pty_process::{Command, OwnedWritePty, Size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio::task::JoinHandle;
use vt100::Parser;

/// Nothing that a test waits for takes longer, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(30);

/// A command at a terminal.
pub struct Terminal {
    child: Child,
    keyboard: OwnedWritePty,
    seen: Arc<Mutex<Seen>>,
    reader: JoinHandle<()>,
}

/// What has come to the terminal.
struct Seen {
    screen: Parser,
    bytes: Vec<u8>,
}

/// What is left when the command has ended.
#[derive(Debug)]
pub struct Left {
    pub code: i32,
    /// The lines of the screen, without the empty ones at its end.
    pub lines: Vec<String>,
    /// All that was written, as it was written.
    pub raw: String,
    /// Whether the cursor is shown, at the beginning of a line.
    pub ready: bool,
}

impl Left {
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

impl Terminal {
    /// Runs a command at a terminal of so many rows and columns.
    pub fn run(command: Command, rows: u16, columns: u16) -> Self {
        let (pty, pts) = pty_process::open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let child = command.kill_on_drop(true).spawn(pts).unwrap();
        let (mut from, keyboard) = pty.into_split();
        let screen = Parser::new(size(rows), size(columns), 1000);
        let seen = Arc::new(Mutex::new(Seen { screen, bytes: Vec::new() }));
        let all = Arc::clone(&seen);
        let reader = tokio::spawn(async move {
            let mut bytes = [0; 4096];
            // The terminal of a command that has ended answers an error.
            while let Ok(read @ 1..) = from.read(&mut bytes).await {
                let mut all = all.lock().unwrap();
                all.screen.process(&bytes[..read]);
                all.bytes.extend_from_slice(&bytes[..read]);
            }
        });
        Self { child, keyboard, seen, reader }
    }

    /// The lines of the screen, without the empty ones at its end.
    pub fn lines(&self) -> Vec<String> {
        lines(&self.seen.lock().unwrap().screen)
    }

    /// Waits until the screen shows it.
    pub async fn until(&self, what: &str) {
        let began = Instant::now();
        while !self.lines().join("\n").contains(what) {
            let waits = began.elapsed() < LIMIT && !self.reader.is_finished();
            assert!(waits, "waited in vain for {what:?}: {:#?}", self.lines());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until so many more of these bytes have come.
    pub async fn until_more(&self, bytes: &str, times: usize) {
        let began = Instant::now();
        let count = || {
            let seen = self.seen.lock().unwrap();
            String::from_utf8_lossy(&seen.bytes).matches(bytes).count()
        };
        let before = count();
        while count() < before + times {
            let waits = began.elapsed() < LIMIT && !self.reader.is_finished();
            assert!(waits, "waited in vain for {bytes:?}: {:#?}", self.lines());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until a new line has begun after this, which the terminal itself has echoed.
    pub async fn until_begun_after(&self, echoed: &str) {
        self.until(echoed).await;
        let began = Instant::now();
        while self.seen.lock().unwrap().screen.screen().cursor_position().1 > 0 {
            assert!(began.elapsed() < LIMIT, "no line begins: {:#?}", self.lines());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The command's process.
    pub fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub async fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).await.unwrap();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        self.keyboard.resize(Size::new(rows, columns)).unwrap();
        self.seen.lock().unwrap().screen.screen_mut().set_size(size(rows), size(columns));
    }

    /// Waits until the command has ended.
    pub async fn ends(mut self) -> Left {
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        let Ok(status) = ended else { panic!("it does not end: {:#?}", self.lines()) };
        self.reader.await.unwrap();
        let seen = self.seen.lock().unwrap();
        let screen = seen.screen.screen();
        Left {
            code: status.unwrap().code().unwrap(),
            lines: lines(&seen.screen),
            raw: String::from_utf8(seen.bytes.clone()).unwrap(),
            ready: !screen.hide_cursor() && screen.cursor_position().1 == 0,
        }
    }
}

fn size(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).unwrap()
}

fn lines(screen: &Parser) -> Vec<String> {
    let columns = screen.screen().size().1;
    let rows = screen.screen().rows(0, columns.get());
    let mut lines: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
    while lines.pop_if(|line| line.is_empty()).is_some() {}
    lines
}
