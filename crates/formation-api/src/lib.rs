//! The HTTP door: routes, requests and answers. What a request does is `formation-control`'s.

mod about;
mod answer;
mod app;
mod change;
mod dispatch;
mod event;
mod functions;
pub mod openapi;
mod outcome;
mod paths;
mod plan;
mod precondition;
mod problem;
mod request;
mod revisions;
pub mod routes;
#[cfg(test)]
mod tests;
mod uploads;

pub use app::App;
pub use event::{Answer, Event};
