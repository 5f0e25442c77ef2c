//! The simulator over the wire: a real socket, a real client.
// `cfg(test)` tells clippy that the helpers may unwrap as the tests do.

#[cfg(test)]
mod callback_days;
#[cfg(test)]
mod callbacks;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod control_side;
#[cfg(test)]
mod every_endpoint;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod login;
#[cfg(test)]
mod official;
#[cfg(test)]
mod robot;
#[cfg(test)]
mod server;
#[cfg(test)]
mod wechat_side;
#[cfg(test)]
mod wecom;
