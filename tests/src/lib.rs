//! What the end-to-end tests share: a local AWS of their own with Formation deployed to it, a proxy
//! that can make AWS fail, and ways to look at what is there.

#![expect(clippy::expect_used, reason = "a test ends where its world does not answer")]

pub mod action;
pub mod announcements;
pub mod answer;
pub mod called;
pub mod links;
pub mod live;
pub mod operations;
pub mod proxy;
pub mod raw;
pub mod readme;
pub mod rows;
pub mod shown;
pub mod suite;
pub mod world;
pub mod yaml;

pub use answer::{Answer, ask, ask_unsigned};
pub use live::Live;
pub use proxy::{Bucket, Call, Fault, Proxy, Rule};
pub use suite::{Suite, run};
pub use world::{WAIT_SCALE, World};
