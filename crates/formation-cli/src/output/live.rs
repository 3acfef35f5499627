//! What is under way, at a terminal: a line each, which moves while it lives and leaves nothing behind.
//!
//! The cursor stands at the beginning of the line below them, and is never hidden: however the process
//! ends, the terminal is one that the next prompt begins a line of.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::plain::one_line;

/// The lines of the process's terminal, which it has one of.
static SCREEN: Mutex<Screen> =
    Mutex::new(Screen { lines: Vec::new(), drawn: 0, next: 0, moves: false });
/// How often a line moves.
const TICK: Duration = Duration::from_millis(120);
/// What moves.
const SPINNER: [char; 10] = [
    '\u{280b}', '\u{2819}', '\u{2839}', '\u{2838}', '\u{283c}', '\u{2834}', '\u{2826}', '\u{2827}',
    '\u{2807}', '\u{280f}',
];
/// What stands for what is cut off.
const CUT: char = '\u{2026}';
/// A terminal that cannot be asked is as large as they once were.
const USUAL: (usize, usize) = (24, 80);

/// A line about something that is under way. It goes when this is dropped.
#[derive(Debug)]
pub struct Busy(Option<u64>);

#[derive(Debug)]
struct Screen {
    lines: Vec<Line>,
    /// How many rows of the terminal they take now.
    drawn: usize,
    /// The next line's id.
    next: u64,
    /// Whether something moves them.
    moves: bool,
}

/// What is shown.
#[derive(Debug)]
struct Line {
    id: u64,
    /// What it is about.
    subject: String,
    /// What is done: when it changes, time is counted anew.
    what: String,
    /// What else there is to say of it.
    more: String,
    since: Instant,
}

impl Busy {
    /// A line at the terminal, which moves as long as the runtime does.
    pub(super) fn at_terminal(subject: &str) -> Self {
        let mut screen = screen();
        let id = screen.next;
        screen.next += 1;
        screen.lines.push(Line {
            id,
            subject: one_line(subject),
            what: String::new(),
            more: String::new(),
            since: Instant::now(),
        });
        screen.draw();
        if !std::mem::replace(&mut screen.moves, true) {
            tokio::spawn(async {
                loop {
                    tokio::time::sleep(TICK).await;
                    let mut screen = self::screen();
                    if screen.lines.is_empty() {
                        screen.moves = false;
                        break;
                    }
                    screen.draw();
                }
            });
        }
        Self(Some(id))
    }

    /// No line, where there is no terminal.
    pub(super) const fn nowhere() -> Self {
        Self(None)
    }

    /// Says what is done now, and what else there is to say of it.
    pub fn tell(&self, what: &str, more: &str) {
        let mut screen = screen();
        let Some(line) = screen.lines.iter_mut().find(|line| Some(line.id) == self.0) else {
            return;
        };
        let what = one_line(what);
        if line.what != what {
            line.since = Instant::now();
        }
        line.what = what;
        line.more = one_line(more);
        screen.draw();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            let mut screen = screen();
            screen.lines.retain(|line| line.id != id);
            screen.draw();
        }
    }
}

impl Screen {
    /// Draws the lines where they were drawn before.
    fn draw(&mut self) {
        let (rows, columns) = size();
        let mut text = self.back();
        let room = rows.saturating_sub(1).max(1);
        let shown = if self.lines.len() > room { room - 1 } else { self.lines.len() };
        let mut drawn = shown;
        for line in &self.lines[..shown] {
            let _ = writeln!(text, "{}\u{1b}[K\r", line.text(columns));
        }
        if shown < self.lines.len() {
            let _ = writeln!(text, "{CUT} and {} more\u{1b}[K\r", self.lines.len() - shown);
            drawn += 1;
        }
        // What was below, as when ^C was echoed.
        if self.drawn > 0 || drawn > 0 {
            text += "\u{1b}[J";
        }
        self.drawn = drawn;
        write(&text);
    }

    /// Takes the lines away.
    fn clear(&mut self) {
        if self.drawn > 0 {
            write(&(self.back() + "\u{1b}[J"));
        }
        self.drawn = 0;
    }

    /// The way to the beginning of the first line. After the terminal has become narrower, what a line takes
    /// beyond its row stays: to go further back might take away what is to stay.
    fn back(&self) -> String {
        if self.drawn > 0 { format!("\r\u{1b}[{}A", self.drawn) } else { String::new() }
    }
}

impl Line {
    /// What is shown in so many columns: a long text is cut, first what it is about, and the time stays.
    fn text(&self, columns: usize) -> String {
        let elapsed = self.since.elapsed();
        let beat = usize::try_from(elapsed.as_millis() / TICK.as_millis()).unwrap_or_default();
        let spinner = SPINNER[beat % SPINNER.len()];
        let seconds = elapsed.as_secs();
        let time = if seconds > 0 { format!(", {seconds} s") } else { String::new() };
        // Beside the spinner, and short of the edge, where some terminals begin a new line.
        let room = columns.saturating_sub(time.len() + "x ".len() + 1);
        let space = if self.what.is_empty() { "" } else { " " };
        let said = format!("{space}{}{}", self.what, self.more);
        let of_subject = room.saturating_sub(said.width()).max(room / 3);
        let text = cut(&format!("{}{said}", cut(&self.subject, of_subject)), room);
        format!("{spinner} {text}{time}")
    }
}

/// As much of a text as so many columns hold.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut room = columns.saturating_sub(1);
    let fits = |character: &char| {
        let width = character.width().unwrap_or_default();
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).chain([CUT]).collect()
}

/// Does something to the terminal while no line is there.
pub(super) fn apart<T>(does: impl FnOnce() -> T) -> T {
    let mut screen = screen();
    screen.clear();
    let done = does();
    if !screen.lines.is_empty() {
        screen.draw();
    }
    done
}

/// Begins a new line where ^C was echoed into one.
pub(super) fn echoed() {
    if screen().drawn == 0 {
        write("\r\n");
    }
}

/// Takes all lines away, for a process that ends at once.
pub(super) fn clear() {
    screen().clear();
}

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That nobody sees it changes nothing of what happens.
fn write(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

/// Rows and columns.
#[cfg(unix)]
fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_row.into(), size.ws_col.into()),
        _ => USUAL,
    }
}

#[cfg(not(unix))]
fn size() -> (usize, usize) {
    USUAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_its_terminal_and_keeps_its_time() {
        let since = Instant::now().checked_sub(Duration::from_secs(4)).unwrap();
        let now = |subject: &str| Line {
            id: 0,
            subject: subject.to_owned(),
            what: "\u{2713} Ensure role".to_owned(),
            more: ", attempt 3".to_owned(),
            since,
        };
        let line = now("hello").text(80);
        assert!(line.ends_with(" hello \u{2713} Ensure role, attempt 3, 4 s"), "{line}");
        for subject in ["hello".repeat(60), "\u{754c}".repeat(200)] {
            for columns in [12, 20, 21, 79, 80, 200] {
                let line = now(&subject).text(columns);
                assert!(line.contains(CUT) && line.ends_with(", 4 s"), "{line}");
                assert!(line.width() < columns && line.width() + 6 >= columns, "{columns}: {line}");
                assert_eq!(line.contains("Ensure role, attempt 3"), columns > 40, "{line}");
            }
        }
        // Where there is no room, nothing breaks.
        assert!(now("hello").text(3).ends_with(" \u{2026}, 4 s"));
    }
}
