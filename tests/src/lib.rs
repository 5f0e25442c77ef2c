//! What the tests of the whole service share; no production code.
//!
//! [`kit`] starts the whole service for a story; [`crash`] kills the real program at random moments and checks what
//! is left; [`scratch`] lends databases; [`people`] makes accounts;
//! [`sources`] are databases that somebody else writes members into.

pub mod crash;
pub mod kit;
pub mod people;
pub mod scratch;
pub mod sources;
