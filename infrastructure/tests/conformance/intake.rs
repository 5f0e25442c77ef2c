//! One suite for the three databases that members are captured in.
//!
//! Needs `LEADWIRE_TEST_MARIADB` beside `LEADWIRE_TEST_POSTGRES`; without it the MariaDB third fails, it never skips.

mod accounts;
mod arrivals;
mod checks;
mod claims;
mod install;
mod odd;
mod pages;
mod safety;
mod world;
