//! Places for open connections: so many in this process, and few for whoever has not yet said who it is.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::addresses::ClientAddress;
use crate::http::problem::{self, Problem};

/// Sockets that one process serves at the same time, native ones and those of Socket.IO together.
const SOCKETS_MAX: usize = 10_000;

/// Connections of one address that have not brought a good token yet. Wide enough for an office behind one address
/// whose pages all come back at once after a restart, and far from the places of everybody else.
const WAITING_PER_ADDRESS_MAX: usize = 128;

/// Seconds after which a client may try again when every place is taken.
const RETRY_SECONDS: u64 = 30;

/// Seconds after which an address may try again: by then whoever waits has spoken or is cut.
const RETRY_WAITING_SECONDS: u64 = 10;

/// The places of this process.
#[derive(Debug)]
pub(in crate::http) struct Places {
    all: Arc<Semaphore>,
    waiting: Arc<Waiting>,
}

/// How many connections of each address wait; `None` where the address is not known.
type Waiting = Mutex<HashMap<Option<IpAddr>, usize>>;

/// One connection's place. It is free again when this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Place {
    _permit: OwnedSemaphorePermit,
    waits: Mutex<Option<Waits>>,
}

/// One connection among those of its address that wait.
#[derive(Debug)]
struct Waits {
    waiting: Arc<Waiting>,
    address: Option<IpAddr>,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(SOCKETS_MAX)), waiting: Arc::default() }
    }
}

impl Places {
    /// A place for somebody who is known.
    pub(super) fn known(&self) -> Result<Place, Problem> {
        Ok(Place { _permit: self.permit()?, waits: Mutex::default() })
    }

    /// A place for a connection that has yet to say who it is; see [`Place::is_known`].
    pub(in crate::http) fn unknown(&self, address: ClientAddress) -> Result<Place, Problem> {
        let permit = self.permit()?;
        let address = address.counted();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(address).or_default();
        if *count >= WAITING_PER_ADDRESS_MAX {
            return Err(Problem::of(&problem::TOO_MANY_REQUESTS).retry_after(RETRY_WAITING_SECONDS));
        }
        *count += 1;
        let waits = Waits { waiting: Arc::clone(&self.waiting), address };
        Ok(Place { _permit: permit, waits: Mutex::new(Some(waits)) })
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.all).try_acquire_owned();
        permit.map_err(|_| Problem::of(&problem::BUSY).retry_after(RETRY_SECONDS))
    }
}

impl Place {
    /// The connection has brought a good token: it is no longer one that waits.
    pub(in crate::http) fn is_known(&self) {
        drop(self.waits.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const HERE: ClientAddress = ClientAddress(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));

    fn status(place: Result<Place, Problem>) -> Option<u16> {
        place.err().map(|problem| problem.kind.status.as_u16())
    }

    #[test]
    fn an_address_has_few_places_for_those_who_do_not_say_who_they_are() {
        let places = Places::default();
        let mut held: Vec<Place> =
            (0..WAITING_PER_ADDRESS_MAX).map(|_| places.unknown(HERE).unwrap()).collect();
        assert_eq!(status(places.unknown(HERE)), Some(429));
        assert_eq!(status(places.unknown(ClientAddress(None))), None, "another address");
        assert_eq!(status(places.known()), None, "somebody who is known");
        held[0].is_known();
        held.push(places.unknown(HERE).unwrap());
        assert_eq!(status(places.unknown(HERE)), Some(429));
        drop(held);
        assert!(places.waiting.lock().unwrap().is_empty(), "nothing is kept of addresses that left");
        assert_eq!(places.all.available_permits(), SOCKETS_MAX);
    }

    #[test]
    fn a_full_process_says_so() {
        let places = Places::default();
        let _all =
            Arc::clone(&places.all).try_acquire_many_owned(u32::try_from(SOCKETS_MAX).unwrap()).unwrap();
        assert_eq!(status(places.known()), Some(503));
        assert_eq!(status(places.unknown(HERE)), Some(503));
    }
}
