//! The client against a stand-in of the API on loopback: what is sent, byte by byte, and what is made
//! of odd answers.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod answers;
mod repeats;
mod sends;
mod stub;
mod tls;
mod uploads;
mod waits;
