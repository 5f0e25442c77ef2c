//! Who sends a request, as far as the network tells: for counting, never for deciding who somebody is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderMap;
use ipnet::IpNet;

/// Where proxies write whom they speak for.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Most entries of that header that are looked at, from the right.
const HOPS_MAX: usize = 16;

/// Leading bits of an IPv6 address that a provider gives to one customer.
const IPV6_NETWORK_BITS: u32 = 64;

/// The address of whoever sends a request; `None` when there is no connection, as in a test of the router alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// The other end of the connection, or, when that is a trusted proxy, the last address that a trusted proxy wrote
    /// down. What a client writes itself stands further left and is never reached.
    pub fn of(request: &Request, trusted: &[IpNet]) -> Self {
        let connection = request.extensions().get::<ConnectInfo<SocketAddr>>();
        let peer = connection.map(|ConnectInfo(address)| address.ip().to_canonical());
        Self(peer.map(|peer| behind_proxies(peer, request.headers(), trusted)))
    }

    /// What is counted together: an IPv4 address, or the network of an IPv6 address, of which everybody has plenty.
    pub fn counted(self) -> Option<IpAddr> {
        match self.0? {
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << (128 - IPV6_NETWORK_BITS));
                Some(IpAddr::V6(Ipv6Addr::from_bits(network)))
            }
            v4 @ IpAddr::V4(_) => Some(v4),
        }
    }
}

fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&peer) {
        return peer;
    }
    let values: Vec<_> = headers.get_all(X_FORWARDED_FOR).iter().collect();
    let texts = values.iter().rev().filter_map(|value| value.to_str().ok());
    let hops = texts.flat_map(|text| text.rsplit(',')).take(HOPS_MAX);
    let mut last = peer;
    for hop in hops {
        // What cannot be read was written by nobody we trust: the hop before is all that is known.
        let Ok(address) = hop.trim().parse::<IpAddr>() else { return last };
        last = address.to_canonical();
        if !is_trusted(&last) {
            return last;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &str, forwarded: &[&str], expected: &str) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap()).into();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        let address = behind_proxies(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(address.to_string(), expected, "{peer} {forwarded:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_its_own_word() {
        check("203.0.113.7", &["198.51.100.1"], "203.0.113.7");
        check("10.0.0.1", &[], "10.0.0.1");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["1.2.3.4, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("10.0.0.1", &["1.2.3.4", "198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1, nonsense"], "10.0.0.1");
        check("10.0.0.1", &["10.0.0.9"], "10.0.0.9");
        check("fd00::1", &["2001:db8::1"], "2001:db8::1");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let counted = |text: &str| ClientAddress(Some(text.parse().unwrap())).counted().unwrap().to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("203.0.113.7"), "203.0.113.7");
        assert_eq!(ClientAddress(None).counted(), None);
    }
}
