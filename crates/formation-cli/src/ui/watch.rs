//! Looking at something again and again for all that want to know: once, however many they are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use formation_client::ClientError;
use tokio::sync::watch;
use tokio::time::sleep;

/// How many things are remembered that will not change any more.
const MOST: usize = 256;
/// How long a pause gets while the API is out of reach.
const TROUBLE: Duration = Duration::from_secs(5);

/// What was last seen of something.
pub type Seen<T> = Result<Arc<T>, Arc<ClientError>>;
/// What will be.
pub type Sight<T> = watch::Receiver<Option<Seen<T>>>;

/// What tells all that want to know of one thing, by its name.
type Tellers<T> = HashMap<String, watch::Sender<Option<Seen<T>>>>;

/// What is looked at, each by its name.
pub struct Watchers<T>(Arc<Mutex<Tellers<T>>>);

impl<T> Default for Watchers<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Send + Sync + 'static> Watchers<T> {
    /// What is, and will be, seen of `name`. Where nobody looks yet, `look` is called now, and again after the
    /// pause that `pause` wants, until it wants none: then it is remembered and never looked at again. It ends
    /// too when nobody is interested any more, or there is an error that does not pass.
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
            return known.subscribe();
        }
        if all.len() >= MOST {
            all.retain(|_, it| it.receiver_count() > 0);
        }
        let (sender, sight) = watch::channel(None);
        all.insert(name.clone(), sender.clone());
        drop(all);
        let all = Arc::clone(&self.0);
        tokio::spawn(async move {
            loop {
                let (seen, next) = match look().await {
                    Ok(seen) => {
                        let next = pause(&seen);
                        (Ok(Arc::new(seen)), next)
                    }
                    Err(error) => {
                        let next = error.is_transient().then_some(TROUBLE);
                        (Err(Arc::new(error)), next)
                    }
                };
                let is_lost = seen.is_err();
                sender.send_replace(Some(seen));
                let Some(next) = next else {
                    if is_lost {
                        // Whoever asks later may have more luck.
                        lock(&all).remove(&name);
                    }
                    return;
                };
                sleep(next).await;
                let mut all = lock(&all);
                if sender.receiver_count() == 0 {
                    all.remove(&name);
                    return;
                }
            }
        });
        sight
    }
}

/// What is seen now, or first.
///
/// # Errors
/// That it cannot be seen.
pub async fn now<T>(sight: &mut Sight<T>) -> Seen<T> {
    let seen = sight.wait_for(Option::is_some).await;
    seen.ok().and_then(|seen| seen.clone()).unwrap_or_else(|| {
        let told = "it is not looked at any more".to_owned();
        Err(Arc::new(ClientError::InvalidRequest(told)))
    })
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
        assert_eq!(*now(&mut sights[0]).await.unwrap(), 1);
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
        now(&mut sight).await.unwrap();
        pass(5).await;
        assert_eq!(looks.load(Ordering::SeqCst), 2);
        drop(sight);
        let mut again = follow(&all, &looks, 2);
        assert_eq!(*now(&mut again).await.unwrap(), 2);
        pass(5).await;
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_does_not_pass_ends_it_and_is_forgotten() {
        let all = Watchers::<u32>::default();
        let look = || async { Err(ClientError::InvalidRequest("no".to_owned())) };
        let mut sight = all.follow("it".to_owned(), look, |_| Some(SECOND));
        assert!(now(&mut sight).await.is_err());
        tokio::task::yield_now().await;
        let mut sight = all.follow("it".to_owned(), || async { Ok(7) }, |_| None);
        assert_eq!(*now(&mut sight).await.unwrap(), 7);
    }
}
