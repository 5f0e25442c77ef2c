//! What Leadwire does with what is true: use cases, policies, access, texts, and the ports they need.
//!
//! Pure and without a runtime: the log, the clock and the providers stand behind ports that
//! `infrastructure` implements.

pub mod access;
pub mod bus;
pub mod callbacks;
pub mod channels;
pub mod customers;
pub mod delivery;
pub mod fates;
pub mod forms;
pub mod history;
pub mod imports;
pub mod inbox;
pub mod intake;
pub mod member_notices;
pub mod members;
pub mod notices;
pub mod policies;
pub mod ports;
pub mod preferences;
pub mod recycling;
pub mod schedules;
pub mod staff;
pub mod texts;
pub mod transfers;
