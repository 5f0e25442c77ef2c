//! The main job, end to end, as stories: the real router, consumers and dispatcher on each database, WeChat played by
//! the simulator. One program, because linking it is the slow part.
//!
//! Every story ends with `TestApp::finish`, which checks what must hold whatever the story was about.

mod assigning;
mod bad_input;
mod batches;
mod callbacks;
mod channels;
mod cli;
mod deliveries;
mod due;
mod faults;
mod fuzz;
mod health;
mod idempotency;
mod imports;
mod inbox;
mod intake;
mod lead_transfer;
mod limits;
mod member_notices;
mod members;
mod metrics;
mod moves;
mod orders;
mod permissions;
mod preferences;
mod privacy;
mod quiet;
mod races;
mod readers;
mod recycling;
mod replay;
mod schedules;
mod sessions;
mod socketio;
mod sockets;
mod templates;
mod tokens;
mod two_processes;
mod uniqueness;
mod wechat;
