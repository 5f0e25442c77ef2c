//! The policy runner on both databases: what an event leads to, once, whatever happens meanwhile.

mod faults;
mod kit;
mod outcomes;
