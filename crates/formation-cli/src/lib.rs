//! The `formation` command: what people type to deploy functions and to live with them.
//!
//! It knows files, terminals and people. What it does to functions it asks of the API, through
//! `formation-client`, with the user's own credentials.

pub mod args;
pub mod aws;
pub mod changing;
pub mod commands;
pub mod connect;
pub mod deploy;
pub mod existing;
pub mod failure;
pub mod folder;
pub mod follow;
pub mod interrupt;
pub mod invoking;
pub mod logs;
pub mod manifest;
pub mod outcome;
pub mod output;
pub mod remedy;
pub mod shown;
pub mod since;
#[cfg(test)]
mod testing;
pub mod ui;
