//! How often one address may try to log in, or hand in a lead or a member through a public form: everybody else's way in
//! stays open, and nobody tries passwords or phones at leisure from many names. Members who register count together as well:
//! each is announced to the staff, and many addresses are cheap.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use moka::sync::Cache;

use super::addresses::ClientAddress;
use super::problem::{self, Problem};
use crate::config::ProtectionSettings;

/// Addresses that are remembered for each limit. When there are more, those that were seen least lately are forgotten.
const ADDRESSES_MAX: u64 = 100_000;

/// How long a silent address is remembered; its minute is over long before.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Which limit a route has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Login,
    PublicForm,
    Registration,
}

/// The routes that anybody can call without showing who it is and that cost or reveal something. All of them are POST.
const LIMITED: [(&str, Limit); 4] = [
    ("/api/auth/login", Limit::Login),
    ("/api/auth/miniprogram-login", Limit::Login),
    ("/api/customers/website-lead", Limit::PublicForm),
    ("/api/members/register", Limit::Registration),
];

/// Requests of each address, counted by this process.
#[derive(Debug, Clone)]
pub(super) struct RateLimits {
    login: PerAddress<DefaultClock>,
    public_form: PerAddress<DefaultClock>,
    registration: PerAddress<DefaultClock>,
    /// Of all addresses together.
    registrations: PerAddress<DefaultClock>,
}

impl RateLimits {
    pub(super) fn new(settings: &ProtectionSettings) -> Self {
        let clock = DefaultClock::default();
        Self {
            login: PerAddress::new(settings.login_per_minute, clock.clone()),
            public_form: PerAddress::new(settings.public_form_per_minute, clock.clone()),
            registration: PerAddress::new(settings.public_form_per_minute, clock.clone()),
            registrations: PerAddress::new(settings.registrations_per_minute, clock),
        }
    }

    /// Counts a request, or says after how many seconds the next one is let through. Who asks too often alone uses up
    /// nothing of what all have together.
    fn check(&self, limit: Limit, address: Option<IpAddr>) -> Result<(), u64> {
        match limit {
            Limit::Login => self.login.check(address),
            Limit::PublicForm => self.public_form.check(address),
            Limit::Registration => {
                self.registration.check(address)?;
                self.registrations.check(None)
            }
        }
    }
}

/// Lets a request through, or says when to come back.
pub(super) async fn guard(State(limits): State<RateLimits>, request: Request, next: Next) -> Response {
    let Some(limit) = limit_of(&request) else { return next.run(request).await };
    let address = request.extensions().get::<ClientAddress>().and_then(|address| address.counted());
    match limits.check(limit, address) {
        Ok(()) => next.run(request).await,
        Err(seconds) => Problem::of(&problem::RATE_LIMITED).retry_after(seconds).into_response(),
    }
}

fn limit_of(request: &Request) -> Option<Limit> {
    if request.method() != Method::POST {
        return None;
    }
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    LIMITED.iter().find(|(limited, _)| *limited == path).map(|(_, limit)| *limit)
}

type OneAddress<C> = RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// One bucket an address: it holds a minute's worth and fills up evenly.
#[derive(Debug, Clone)]
struct PerAddress<C>
where
    C: Clock + Clone + Send + Sync + 'static,
    C::Instant: Send + Sync,
{
    quota: Quota,
    clock: C,
    addresses: Cache<Option<IpAddr>, Arc<OneAddress<C>>>,
}

impl<C> PerAddress<C>
where
    C: Clock + Clone + Send + Sync + 'static,
    C::Instant: Send + Sync,
{
    fn new(per_minute: NonZeroU32, clock: C) -> Self {
        let addresses = Cache::builder().max_capacity(ADDRESSES_MAX).time_to_idle(REMEMBERED).build();
        Self { quota: Quota::per_minute(per_minute), clock, addresses }
    }

    /// Counts a request, or says after how many seconds the next one is let through.
    fn check(&self, address: Option<IpAddr>) -> Result<(), u64> {
        let bucket = self
            .addresses
            .get_with(address, || Arc::new(RateLimiter::direct_with_clock(self.quota, self.clock.clone())));
        bucket.check().map_err(|later| later.wait_time_from(self.clock.now()).as_secs() + 1)
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    #[test]
    fn an_address_has_its_minute_and_nobody_elses() {
        let clock = FakeRelativeClock::default();
        let limit = PerAddress::new(NonZeroU32::new(6).unwrap(), clock.clone());
        let [here, there] = [1, 2].map(|last| Some(IpAddr::from([203, 0, 113, last])));
        for _ in 0..6 {
            assert_eq!(limit.check(here), Ok(()));
        }
        assert_eq!(limit.check(here), Err(10 + 1), "one in ten seconds");
        assert_eq!(limit.check(there), Ok(()));
        clock.advance(Duration::from_secs(10));
        assert_eq!(limit.check(here), Ok(()));
        assert!(limit.check(here).is_err());
        clock.advance(Duration::from_mins(1));
        for _ in 0..6 {
            assert_eq!(limit.check(here), Ok(()));
        }
    }

    #[test]
    fn members_who_register_count_together_besides() {
        let per_minute = |number| NonZeroU32::new(number).unwrap();
        let limits = RateLimits::new(&ProtectionSettings {
            public_form_per_minute: per_minute(3),
            registrations_per_minute: per_minute(5),
            ..ProtectionSettings::default()
        });
        let [here, there] = [1, 2].map(|last| Some(IpAddr::from([203, 0, 113, last])));
        let passes = |address| (0..4).filter(|_| limits.check(Limit::Registration, address).is_ok()).count();
        assert_eq!(passes(here), 3, "an address has its own limit");
        assert_eq!(passes(there), 2, "and both together have one");
        assert!(limits.check(Limit::PublicForm, there).is_ok(), "leads are counted by themselves");
    }

    #[test]
    fn memory_is_bounded() {
        let limit = PerAddress::new(NonZeroU32::new(6).unwrap(), FakeRelativeClock::default());
        assert_eq!(limit.addresses.policy().max_capacity(), Some(ADDRESSES_MAX));
        assert_eq!(limit.addresses.policy().time_to_idle(), Some(REMEMBERED));
    }
}
