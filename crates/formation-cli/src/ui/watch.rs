//! Looking at something again and again for all that want to know: once, however many they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formation_client::ClientError;
use http::StatusCode;
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

/// How many things are remembered that will not change any more.
const MOST: usize = 256;
/// How long a pause gets while the API is out of reach.
const TROUBLE: Duration = Duration::from_secs(5);
/// And while it refuses, which somebody has to do something about: renew credentials, for example.
const REFUSED: Duration = Duration::from_secs(15);

/// What is known of something.
#[derive(Debug)]
pub struct Seen<T> {
    /// What was last seen, however long ago.
    pub last: Option<Arc<T>>,
    /// When that was.
    pub at: Timestamp,
    /// Why it could not be seen since.
    pub trouble: Option<Arc<ClientError>>,
    /// Whether it is not looked at any more.
    pub is_over: bool,
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        let Self { last, at, trouble, is_over } = self;
        let (last, trouble) = (last.clone(), trouble.clone());
        Self { last, at: *at, trouble, is_over: *is_over }
    }
}

impl<T> Seen<T> {
    /// What was seen, or else why nothing was.
    ///
    /// # Errors
    /// That it has never been seen.
    pub fn known(&self) -> Result<Arc<T>, Arc<ClientError>> {
        self.last.clone().ok_or_else(|| {
            self.trouble.clone().unwrap_or_else(|| {
                let told = "it is not looked at any more".to_owned();
                Arc::new(ClientError::InvalidRequest(told))
            })
        })
    }

    /// What is seen now, after this.
    fn after(self, looked: Result<T, ClientError>, is_over: bool) -> Self {
        match looked {
            Ok(seen) => {
                Self { last: Some(Arc::new(seen)), at: Timestamp::now(), trouble: None, is_over }
            }
            Err(error) => Self { trouble: Some(Arc::new(error)), is_over, ..self },
        }
    }
}

/// What tells all that want to know of one thing.
#[derive(Debug)]
struct Teller<T> {
    seen: watch::Sender<Option<Seen<T>>>,
    /// Ends a pause that trouble has made long.
    hurry: Arc<Notify>,
}

/// What will be seen of something.
#[derive(Debug)]
pub struct Sight<T>(watch::Receiver<Option<Seen<T>>>);

/// What is looked at, each by its name.
#[derive(Debug)]
pub struct Watchers<T>(Arc<Mutex<HashMap<String, Teller<T>>>>);

impl<T> Default for Watchers<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + Sync + 'static> Watchers<T> {
    /// What is, and will be, seen of `name`. Where nobody looks yet, `look` is called now, and again after the
    /// pause that `pause` wants, until it wants none: then it is remembered and never looked at again. It ends
    /// too when nobody is interested any more, or there is no such thing. Whatever else is in the way may pass:
    /// it is told, and looked again.
    pub fn follow<Look>(
        &self,
        name: String,
        look: impl Fn() -> Look + Send + 'static,
        pause: impl Fn(&T) -> Option<Duration> + Send + 'static,
    ) -> Sight<T>
    where
        Look: Future<Output = Result<T, ClientError>> + Send,
    {
        let mut all = lock(&self.0);
        if let Some(known) = all.get(&name) {
            let mut sight = known.seen.subscribe();
            if sight.borrow_and_update().as_ref().is_some_and(|seen| seen.trouble.is_some()) {
                // Whoever asks now may have more luck.
                known.hurry.notify_one();
            }
            return Sight(sight);
        }
        if all.len() >= MOST {
            all.retain(|_, it| it.seen.receiver_count() > 0);
        }
        let (sender, sight) = watch::channel(None);
        let hurry = Arc::new(Notify::new());
        let teller = Teller { seen: sender.clone(), hurry: Arc::clone(&hurry) };
        all.insert(name.clone(), teller);
        drop(all);
        let all = Arc::clone(&self.0);
        tokio::spawn(async move {
            loop {
                let looked = look().await;
                let (next, is_lost) = match &looked {
                    Ok(seen) => (pause(seen), false),
                    Err(error) if is_gone(error) => (None, true),
                    Err(error) if error.is_transient() => (Some(TROUBLE), false),
                    Err(_) => (Some(REFUSED), false),
                };
                let before = sender.borrow().clone();
                let before = before.unwrap_or(Seen {
                    last: None,
                    at: Timestamp::UNIX_EPOCH,
                    trouble: None,
                    is_over: false,
                });
                sender.send_replace(Some(before.after(looked, next.is_none())));
                let Some(next) = next else {
                    if is_lost {
                        // There may be another of its name.
                        forget(&mut lock(&all), &name, &sender);
                    }
                    return;
                };
                // Who hurries it has had trouble: the rate of what goes well stays.
                let is_well = sender.borrow().as_ref().is_some_and(|it| it.trouble.is_none());
                tokio::select! {
                    () = sleep(next) => {}
                    () = hurry.notified(), if !is_well => {}
                }
                let mut all = lock(&all);
                if sender.receiver_count() == 0 {
                    forget(&mut all, &name, &sender);
                    return;
                }
            }
        });
        Sight(sight)
    }
}

/// Takes out what this sender tells of, and not what another may have begun to tell by that name.
fn forget<T>(
    all: &mut HashMap<String, Teller<T>>,
    name: &str,
    sender: &watch::Sender<Option<Seen<T>>>,
) {
    if all.get(name).is_some_and(|it| it.seen.same_channel(sender)) {
        all.remove(name);
    }
}

/// Whether there is no such thing, and not only no way to it.
pub fn is_gone(error: &ClientError) -> bool {
    error.problem().is_some_and(|problem| problem.status == StatusCode::NOT_FOUND.as_u16())
}

impl<T> Sight<T> {
    /// What is seen now, or first. What has been in the way is looked at once more.
    pub async fn now(&mut self) -> Seen<T> {
        let had_trouble = self.0.borrow().as_ref().is_some_and(|it| it.trouble.is_some());
        if had_trouble && !self.0.borrow().as_ref().is_some_and(|it| it.is_over) {
            // Nobody tells any more where it has ended: then what was seen is what there is.
            let _ = timeout(TROUBLE, self.0.changed()).await;
        }
        let seen = self.0.wait_for(Option::is_some).await;
        let seen = seen.ok().and_then(|seen| seen.clone());
        seen.unwrap_or(Seen { last: None, at: Timestamp::UNIX_EPOCH, trouble: None, is_over: true })
    }

    /// What is seen next, that has not been seen yet by this; nothing where it will not be looked at again.
    pub async fn next(&mut self) -> Option<Seen<T>> {
        loop {
            self.0.changed().await.ok()?;
            if let Some(seen) = self.0.borrow_and_update().clone() {
                return Some(seen);
            }
        }
    }

    /// From now on what is there is told as if it were new.
    pub fn anew(&mut self) {
        self.0.mark_changed();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Follows a number that grows by one each second, until it is `last`.
    fn follow(all: &Watchers<u32>, looks: &Arc<AtomicU32>, last: u32) -> Sight<u32> {
        let looks = Arc::clone(looks);
        let look = move || {
            let looks = Arc::clone(&looks);
            async move { Ok(looks.fetch_add(1, Ordering::SeqCst) + 1) }
        };
        all.follow("it".to_owned(), look, move |seen| (*seen < last).then_some(SECOND))
    }

    async fn pass(seconds: u32) {
        for _ in 0..seconds * 10 {
            advance(SECOND / 10).await;
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_look_it_is_looked_at_once_a_second() {
        let (all, looks) = (Watchers::default(), Arc::new(AtomicU32::new(0)));
        let mut sights: Vec<_> = (0..8).map(|_| follow(&all, &looks, 100)).collect();
        assert_eq!(sights[0].now().await.last.as_deref(), Some(&1));
        pass(10).await;
        let seen = looks.load(Ordering::SeqCst);
        assert!((10..=11).contains(&seen), "{seen}");
        // The last that goes ends it.
        sights.truncate(1);
        pass(2).await;
        assert!(looks.load(Ordering::SeqCst) > seen);
        drop(sights);
        pass(2).await;
        let seen = looks.load(Ordering::SeqCst);
        pass(5).await;
        assert_eq!(looks.load(Ordering::SeqCst), seen);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_ended_is_not_looked_at_again() {
        let (all, looks) = (Watchers::default(), Arc::new(AtomicU32::new(0)));
        let mut sight = follow(&all, &looks, 2);
        assert!(!sight.now().await.is_over);
        pass(5).await;
        assert_eq!(looks.load(Ordering::SeqCst), 2);
        drop(sight);
        let again = follow(&all, &looks, 2).now().await;
        assert!(again.last.as_deref() == Some(&2) && again.is_over);
        pass(5).await;
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    }

    /// What the API says of a function that there is not, or that this caller may not see.
    fn refusal(status: u16, code: &str) -> ClientError {
        let problem = serde_json::json!({
            "type": "about:blank", "title": "T", "status": status, "detail": "D", "code": code,
        });
        let problem = Box::new(serde_json::from_value(problem).unwrap());
        ClientError::Problem { problem, retry_after: None }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_way_is_told_beside_what_was_seen_and_passes() {
        let (all, looks) = (Watchers::default(), Arc::new(AtomicU32::new(0)));
        let number = Arc::clone(&looks);
        let look = move || {
            let number = number.fetch_add(1, Ordering::SeqCst);
            async move {
                // Credentials expire, and are renewed.
                if number == 1 { Err(refusal(403, "FORBIDDEN")) } else { Ok(number) }
            }
        };
        let mut sight = all.follow("it".to_owned(), look, |_| Some(SECOND));
        assert_eq!(sight.now().await.last.as_deref(), Some(&0));
        pass(2).await;
        let seen = sight.now().await;
        assert!(seen.trouble.is_none() || seen.last.as_deref() == Some(&0), "{seen:?}");
        pass(20).await;
        let seen = sight.now().await;
        assert!(seen.trouble.is_none() && seen.last.as_deref() > Some(&1), "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_in_trouble_is_answered_by_a_new_look() {
        let (all, looks) = (Watchers::default(), Arc::new(AtomicU32::new(0)));
        let refused = || {
            let number = Arc::clone(&looks);
            move || {
                let number = number.fetch_add(1, Ordering::SeqCst);
                async move { if number == 0 { Err(refusal(403, "FORBIDDEN")) } else { Ok(number) } }
            }
        };
        let mut one = all.follow("it".to_owned(), refused(), |_| Some(SECOND));
        assert!(one.next().await.unwrap().trouble.is_some());
        let mut other = all.follow("it".to_owned(), refused(), |_| Some(SECOND));
        let began = tokio::time::Instant::now();
        assert_eq!(other.now().await.last.as_deref(), Some(&1));
        assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_ends_it_and_is_forgotten() {
        let all = Watchers::<u32>::default();
        let look = || async { Err(refusal(404, "FUNCTION_NOT_FOUND")) };
        let mut sight = all.follow("it".to_owned(), look, |_| Some(SECOND));
        let seen = sight.now().await;
        assert!(seen.is_over && seen.known().is_err());
        tokio::task::yield_now().await;
        let mut sight = all.follow("it".to_owned(), || async { Ok(7) }, |_| None);
        assert_eq!(sight.now().await.last.as_deref(), Some(&7));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_ends_late_does_not_take_the_next_of_its_name_along() {
        let (all, looks) = (Watchers::default(), Arc::new(AtomicU32::new(0)));
        let mut first = follow(&all, &looks, 100);
        first.now().await;
        drop(first);
        // As when there are too many.
        lock(&all.0).retain(|_, it| it.seen.receiver_count() > 0);
        let mut second = follow(&all, &looks, 100);
        second.now().await;
        pass(3).await;
        assert!(lock(&all.0).contains_key("it"));
        let before = looks.load(Ordering::SeqCst);
        let _third = follow(&all, &looks, 100);
        pass(5).await;
        assert!(looks.load(Ordering::SeqCst) - before <= 6);
    }
}
