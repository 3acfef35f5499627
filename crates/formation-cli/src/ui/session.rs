//! Who may use the page: whoever has the link that the command hands out, once, and then that browser.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a session lasts that nobody uses.
const IDLE: Duration = Duration::from_secs(8 * 60 * 60);

/// A text that nobody can guess: bits from the system, as hexadecimal digits.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// One of so many bytes.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn generate<const BYTES: usize>() -> std::io::Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
        let mut text = String::with_capacity(2 * BYTES);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this text; how long that takes tells nothing of it.
    fn is(&self, text: &str) -> bool {
        let pairs = self.0.bytes().zip(text.bytes());
        let differences =
            pairs.fold(0, |all, (one, other)| std::hint::black_box(all | (one ^ other)));
        self.0.len() == text.len() && differences == 0
    }
}

/// The one session of a server.
pub struct Session {
    /// Each server's own: browsers send cookies to every port of a host.
    cookie: String,
    /// Where all pages are. Browsers send a cookie to every port of a host, but only with what is below its path,
    /// which no other server of this machine knows.
    base: String,
    link: Mutex<Option<Secret>>,
    id: Secret,
    csrf: Secret,
    used: Mutex<Option<Instant>>,
}

impl Session {
    /// That of the server at a port, with the token that lets a browser in.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(port: u16) -> std::io::Result<(Self, Secret)> {
        let token = Secret::generate::<32>()?;
        let session = Self {
            cookie: format!("formation-{port}"),
            base: format!("/{}", Secret::generate::<16>()?.as_str()),
            link: Mutex::new(Some(token.clone())),
            id: Secret::generate::<32>()?,
            csrf: Secret::generate::<32>()?,
            used: Mutex::new(None),
        };
        Ok((session, token))
    }

    /// The path below which all pages are: `/` and 32 digits.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Takes the link's token, once, and answers the cookie that stands for the session.
    pub fn enter(&self, token: &str) -> Option<String> {
        let mut link = lock(&self.link);
        link.take_if(|expected| expected.is(token))?;
        *lock(&self.used) = Some(Instant::now());
        let Self { cookie, base, id, .. } = self;
        Some(format!("{cookie}={}; Path={base}/; HttpOnly; SameSite=Strict", id.as_str()))
    }

    /// Whether these cookies are the session's, and it has not ended.
    pub fn is_held_by(&self, cookies: &str) -> bool {
        let mut pairs = cookies.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie && self.id.is(value)) && self.is_alive()
    }

    /// Whether somebody has entered, and used it not too long ago.
    pub fn is_alive(&self) -> bool {
        lock(&self.used).is_some_and(|used| used.elapsed() < IDLE)
    }

    /// Notes that somebody uses it.
    pub fn touch(&self) {
        *lock(&self.used) = Some(Instant::now());
    }

    /// What every form of the session's pages sends along.
    pub fn csrf(&self) -> &str {
        self.csrf.as_str()
    }

    /// Whether a form that was sent is one of the session's.
    pub fn has_sent(&self, csrf: &str) -> bool {
        self.csrf.is(csrf)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered() -> (Session, String) {
        let (session, token) = Session::new(8420).unwrap();
        let set = session.enter(token.as_str()).unwrap();
        let cookie = set.split(';').next().unwrap().to_owned();
        (session, cookie)
    }

    #[tokio::test]
    async fn a_link_lets_in_once() {
        let (session, token) = Session::new(8420).unwrap();
        assert!(!session.is_alive());
        for wrong in ["", "x", &token.as_str()[1..], &format!("{}0", token.as_str())] {
            assert!(session.enter(wrong).is_none());
        }
        let set = session.enter(token.as_str()).unwrap();
        assert!(set.starts_with("formation-8420="), "{set}");
        let path = format!("; Path={}/; HttpOnly; SameSite=Strict", session.base());
        assert!(session.base().len() == 33 && set.ends_with(&path), "{set}");
        assert!(session.enter(token.as_str()).is_none());
    }

    #[tokio::test]
    async fn a_session_is_its_servers_own() {
        let (session, cookie) = entered();
        assert!(session.is_held_by(&cookie));
        assert!(session.is_held_by(&format!("other=1; {cookie}; more=2")));
        let other = cookie.replace("8420", "8421");
        for wrong in ["", "formation-8420=", "formation-8420", &other, &format!("{cookie}0")] {
            assert!(!session.is_held_by(wrong), "{wrong}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_when_nobody_uses_it_for_eight_hours() {
        let (session, cookie) = entered();
        let nearly = IDLE - Duration::from_secs(1);
        for _ in 0..2 {
            tokio::time::advance(nearly).await;
            assert!(session.is_held_by(&cookie));
            session.touch();
        }
        tokio::time::advance(IDLE).await;
        assert!(!session.is_held_by(&cookie));
    }
}
