//! What each command does, from its first process to its exit code.

mod bench;
mod contract;
mod crash;
mod demo;
mod scratch;
mod test;

pub(crate) use self::{
    bench::bench,
    contract::contract,
    crash::crash,
    demo::demo,
    scratch::{mariadb, postgres},
    test::test,
};
