//! Deploying what a manifest wants.

pub mod build;
pub mod conflict;
pub mod planned;
pub mod show;
pub mod sources;
