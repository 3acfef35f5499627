//! Deploying what a manifest wants.

pub mod conflict;
pub mod planned;
pub mod show;
pub mod sources;
