//! The Leadwire service and its command line.
//!
//! Reading order: [`config`] (what an operator may set), [`app`] (what every request sees), [`wiring`] (how the
//! pieces are put together and taken apart), [`lifecycle`] (tasks that are watched, a stop that is graceful),
//! [`http`] and [`auth`] (the contract with the outside), [`cli`] and [`demo`].

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod demo;
pub mod http;
pub mod lifecycle;
pub mod metrics;
pub mod wiring;
