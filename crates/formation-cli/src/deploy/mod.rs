//! Deploying what a manifest wants.

pub mod planned;
pub mod show;
pub mod sources;
