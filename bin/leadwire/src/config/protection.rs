//! The settings of what keeps floods and foreign pages out.

use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;

use super::reader::Reader;
use super::service::within;

/// Bounds of the requests of one address in a minute.
const PER_MINUTE: std::ops::RangeInclusive<u32> = 1..=100_000;
/// Bounds of the time for which browsers remember to use TLS only; 0 says nothing to them.
const HSTS_SECONDS: std::ops::RangeInclusive<u64> = 0..=2 * 365 * 24 * 60 * 60;

/// What keeps floods and foreign pages out. The allow-list of pages is
/// [`ServerSettings::allowed_origins`](super::ServerSettings).
#[derive(Debug, Clone)]
pub struct ProtectionSettings {
    /// Attempts to log in that one address has in a minute, whoever it tries to be.
    pub login_per_minute: NonZeroU32,
    /// Leads, and members, that one address hands in through a public form in a minute.
    pub public_form_per_minute: NonZeroU32,
    /// Members who may register through the public form in a minute, from all addresses together.
    pub registrations_per_minute: NonZeroU32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How long browsers are to use TLS only; 0 when nothing in front of us speaks TLS.
    pub hsts_seconds: u64,
}

impl Default for ProtectionSettings {
    fn default() -> Self {
        const LOGINS: NonZeroU32 = NonZeroU32::new(60).unwrap();
        const LEADS: NonZeroU32 = NonZeroU32::new(10).unwrap();
        const MEMBERS: NonZeroU32 = NonZeroU32::new(600).unwrap();
        Self {
            login_per_minute: LOGINS,
            public_form_per_minute: LEADS,
            registrations_per_minute: MEMBERS,
            trusted_proxies: vec![],
            hsts_seconds: 0,
        }
    }
}

pub(super) fn protection(reader: &mut Reader) -> Option<ProtectionSettings> {
    let login = reader.checked("protection.login_per_minute", per_minute);
    let form = reader.checked("protection.public_form_per_minute", per_minute);
    let registrations = reader.checked("protection.registrations_per_minute", per_minute);
    let proxies = reader.checked("protection.trusted_proxies", |texts: Vec<String>| {
        texts.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>()
    });
    let hsts = reader.checked("protection.hsts_seconds", |n| within(n, &HSTS_SECONDS, "seconds"));
    Some(ProtectionSettings {
        login_per_minute: login?,
        public_form_per_minute: form?,
        registrations_per_minute: registrations?,
        trusted_proxies: proxies?,
        hsts_seconds: hsts?,
    })
}

fn per_minute(number: u32) -> Result<NonZeroU32, String> {
    let number = within(number, &PER_MINUTE, "requests a minute")?;
    NonZeroU32::new(number).ok_or_else(|| "is 0".to_owned())
}

/// An address or a network such as `10.0.0.0/8`.
fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse()
        .ok()
        .or_else(address)
        .ok_or_else(|| format!("`{text}` is no address or network such as 10.0.0.0/8"))
}
