//! One suite for the three databases that members are captured in.
//!
//! Needs `LEADWIRE_TEST_MARIADB` beside `LEADWIRE_TEST_POSTGRES`; without it the MariaDB third fails, it never skips.

mod accounts;
mod arrivals;
mod checks;
mod claims;
#[expect(
    unreachable_pub,
    reason = "the stories of the whole service include it as well, and show it to their tests"
)]
mod foreign;
mod install;
mod ledger;
mod odd;
mod pages;
mod safety;
mod world;
