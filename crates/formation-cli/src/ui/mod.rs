//! `formation ui`: a web page on this machine that shows functions, what AWS has of them, and what happens to
//! them, and that lets its user act. It asks what the commands ask, with the user's own credentials; nothing is
//! added to AWS for it.

mod assets;
mod browser;
mod changes;
mod live;
mod machine;
mod pages;
mod plot;
mod safety;
mod session;
mod story;
#[cfg(test)]
mod tests;
mod trouble;
mod values;
mod waiting;
mod watch;

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use formation_model::Operation;
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use crate::args::Ui;
use crate::aws::AwsError;
use crate::connect::Connected;
use crate::failure::{Failure, chain_of};
use crate::interrupt::Interrupt;
use crate::outcome::Outcome;
use crate::output::Output;

use self::browser::Redirect;
use self::machine::Machine;
use self::session::{Secret, Session};
use self::trouble::Trouble;
use self::watch::Watchers;

/// What all requests share.
pub(crate) struct App {
    connected: Connected,
    /// Whether it is the local AWS of `make run`.
    local: bool,
    /// Whether the page may change functions, and invoke them.
    writable: bool,
    host: String,
    session: Session,
    machine: Machine,
    /// Leads a browser here until it has been.
    redirect: Mutex<Option<Redirect>>,
    operations: Watchers<Operation>,
    functions: Watchers<pages::Known>,
    lists: Watchers<pages::Listed>,
    jobs: UnboundedSender<Job>,
}

/// What is done beside all requests, by the thread that serves them.
type Job = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>> + Send>;

impl App {
    /// What a request must name.
    fn host(&self) -> &str {
        &self.host
    }

    /// The path below which all pages are, without a slash at its end.
    fn base(&self) -> &str {
        self.session.base()
    }

    /// Does something beside all requests.
    fn begin<Work: Future<Output = ()> + 'static>(
        &self,
        work: impl FnOnce() -> Work + Send + 'static,
    ) {
        // Nobody takes it where the server ends.
        let _ = self.jobs.send(Box::new(|| Box::pin(work())));
    }

    /// What CloudWatch has: see [`plot::read`].
    async fn metrics(
        &self,
        asked: Vec<plot::Asked>,
        span: plot::Span,
    ) -> Result<Vec<plot::Series>, AwsError> {
        let (told, hear) = oneshot::channel();
        let aws = self.connected.aws.clone();
        self.begin(async move || {
            // Nobody waits for it where the browser has gone.
            let _ = told.send(plot::read(&aws, &asked, span).await);
        });
        hear.await.unwrap_or(Err(AwsError::Unreadable("monitoring")))
    }
}

/// A server that is ready, and the way in.
pub(crate) struct Ready {
    app: Arc<App>,
    listener: TcpListener,
    token: Secret,
    jobs: UnboundedReceiver<Job>,
}

impl Ready {
    /// Listens on 127.0.0.1 at a port, or at one that is free.
    ///
    /// # Errors
    /// The port is taken, or the system has no random numbers.
    pub(crate) async fn at(
        port: u16,
        connected: Connected,
        local: bool,
        writable: bool,
    ) -> Result<Self, Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let none = |error| {
            let help = if port == 0 { "" } else { ": without --port one that is free is taken" };
            Failure::Other(format!("{address} cannot be listened to ({}){help}", chain_of(&error)))
        };
        let listener = TcpListener::bind(address).await.map_err(none)?;
        let port = listener.local_addr().map_err(none)?.port();
        let (session, token) = Session::new(port)
            .map_err(|error| Failure::other("the system has no random numbers", &error))?;
        let (begin, jobs) = unbounded_channel();
        let app = Arc::new(App {
            connected,
            local,
            writable,
            host: format!("{}:{port}", Ipv4Addr::LOCALHOST),
            session,
            machine: Machine::read(),
            redirect: Mutex::new(None),
            operations: Watchers::default(),
            functions: Watchers::default(),
            lists: Watchers::default(),
            jobs: begin,
        });
        Ok(Self { app, listener, token, jobs })
    }

    /// The link that lets one browser in, once.
    pub(crate) fn link(&self) -> String {
        format!("http://{}/enter?token={}", self.app.host, self.token.as_str())
    }

    /// Serves until the server fails.
    async fn serve(self) -> std::io::Result<()> {
        let Self { app, listener, mut jobs, .. } = self;
        let beside = async {
            while let Some(job) = jobs.recv().await {
                spawn_local(job());
            }
        };
        let served = async { axum::serve(listener, router(app)).await };
        LocalSet::new().run_until(async { tokio::join!(served, beside).0 }).await
    }
}

/// After how long it is said again how to get in, where nobody has.
const REMINDERS: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(60)];

/// Serves the page until it is interrupted.
pub(crate) async fn run(
    connected: &Connected,
    local: bool,
    asked: &Ui,
    output: &Output,
) -> Result<Outcome, Failure> {
    let writable = local || asked.write;
    let port = asked.port.unwrap_or_default();
    let ready = Ready::at(port, connected.clone(), local, writable).await?;
    let interrupt = Interrupt::listen();
    let mut hangup = Hangup::listen();
    let (link, app) = (ready.link(), Arc::clone(&ready.app));
    let reminder = if asked.no_open {
        output.progress("this link lets one browser in, once; ^C ends it");
        output.line(&link)?;
        "nobody has used the link yet".to_owned()
    } else {
        let redirect = Redirect::write(&link)?;
        let file = redirect.path().to_owned();
        let opened = browser::open(&file);
        *app.redirect.lock().unwrap_or_else(PoisonError::into_inner) = Some(redirect);
        let file = file.display();
        output.progress(match opened {
            true => "the page opens in your browser; ^C ends it",
            false => "no browser could be opened; ^C ends it",
        });
        output.progress(&format!("this file leads one browser in, once: {file}"));
        format!("nobody is in yet: open {file} in a browser, or use --no-open, which prints a link")
    };
    if !writable {
        output.progress("the page only reads: --write lets it change functions");
    }
    let remind = async {
        for pause in REMINDERS {
            sleep(pause).await;
            if app.session.is_alive() {
                break;
            }
            output.progress(&reminder);
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        served = ready.serve() => {
            served.map_err(|error| Failure::other("the page cannot be served", &error))?;
        }
        () = interrupt.pressed() => {}
        // The terminal is gone: nobody else would remove the file.
        () = hangup.heard() => {}
        () = remind => {}
    }
    // Streams and what they ask end with the process.
    drop(app.redirect.lock().unwrap_or_else(PoisonError::into_inner).take());
    Ok(Outcome::Done)
}

/// That the terminal has gone.
struct Hangup(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

impl Hangup {
    #[cfg(unix)]
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};

        // Without a handler it ends the process.
        Self(signal(SignalKind::hangup()).ok())
    }

    #[cfg(not(unix))]
    fn listen() -> Self {
        Self()
    }

    async fn heard(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// All that is served.
fn router(app: Arc<App>) -> Router {
    use axum::middleware::from_fn_with_state;

    let shared = Arc::clone(&app);
    let within = pages::router()
        .fallback(async || Trouble::not_found())
        .layer(from_fn_with_state(Arc::clone(&app), safety::within))
        // What a browser asks for that has its cookie, but may not send it yet.
        .route("/start", get(start))
        .route("/assets/{version}/{name}", get(assets::asset));
    Router::new()
        .nest(&format!("{}/", app.base()), within)
        .route("/enter", get(enter).head(peek))
        .fallback(async || Trouble::not_found())
        .layer(from_fn_with_state(app, safety::guard))
        .with_state(shared)
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    token: String,
}

/// What another server of this port may have left in the browser: what it has kept, and workers that would stand
/// between the page and this server.
const FORGET: (HeaderName, &str) =
    (HeaderName::from_static("clear-site-data"), "\"cache\", \"storage\"");

/// Exchanges the link's token for the session's cookie.
async fn enter(State(app): State<Arc<App>>, Query(Entry { token }): Query<Entry>) -> Response {
    let Some(cookie) = app.session.enter(&token) else {
        return Trouble::forbidden(
            "This link has been used, or is none",
            "It lets one browser in, once. `formation ui` makes another.",
        )
        .into_response();
    };
    // The file has led a browser here, and leads no second one.
    drop(app.redirect.lock().unwrap_or_else(PoisonError::into_inner).take());
    let (name, forget) = FORGET;
    let start = format!("{}/start", app.base());
    let headers = [(LOCATION, start), (SET_COOKIE, cookie), (name, forget.to_owned())];
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Whoever only looks where the link leads has not used it.
async fn peek() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Leads on to the page. A browser that was led here by a file, which counts as another site, sends no cookie
/// with what it is redirected to; with what this page leads to it does.
async fn start(State(app): State<Arc<App>>) -> Html<String> {
    let (base, assets) = (app.base(), assets::folder(&app));
    // Without an icon a browser asks for one, where there is none.
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Formation</title>\
         <link rel=\"icon\" href=\"{assets}/icon.svg\"><meta http-equiv=\"refresh\" content=\"0;url={base}/\">\
         <p><a href=\"{base}/\">Formation</a></p></html>"
    ))
}
