//! One door to the read models, on both databases: events go in through the log, answers come out of the queries.

mod callbacks;
mod counts;
mod folds;
mod imports;
mod inbox;
mod kit;
mod leases;
mod lists;
mod members;
mod notices;
mod parts;
mod policy;
mod pool;
mod rebuilds;
mod recycling;
mod reminders;
mod revisions;
mod roster;
mod scans;
mod statements;
mod statistics;
mod transfers;
