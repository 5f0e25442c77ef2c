//! The policy runner on both databases: what an event leads to, once, whatever happens meanwhile.

mod accounts;
mod crowds;
mod dispatch;
mod faults;
mod kit;
mod lead_transfer;
mod outcomes;
mod pool;
mod recall;
mod repair;
mod rules;
mod unreadable;
mod wishes;
