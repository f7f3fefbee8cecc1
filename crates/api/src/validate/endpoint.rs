//! Whether a pipeline may ask the host of an endpoint. Pure.
//!
//! Whoever may write a pipeline makes the producer send requests. The schema allows https anywhere and http only for
//! names inside the cluster; this keeps both away from addresses that answer with a machine's own credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::patterns::{ENDPOINT_WORDS, STREAM_ENDPOINT_WORDS};

/// Whether an exchange may be asked at this base URL.
///
/// # Errors
/// It has no usable host and port, or an address that answers with a machine's own credentials.
pub fn check(endpoint: &str) -> Result<(), String> {
    let authority = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    check_authority(authority.ok_or(ENDPOINT_WORDS)?)
}

/// The same for streams.
///
/// # Errors
/// As of [`check`].
pub fn check_stream(endpoint: &str) -> Result<(), String> {
    let authority = endpoint.strip_prefix("wss://").or_else(|| endpoint.strip_prefix("ws://"));
    check_authority(authority.ok_or(STREAM_ENDPOINT_WORDS)?)
}

fn check_authority(authority: &str) -> Result<(), String> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if port.is_some_and(|port| !port.parse::<u16>().is_ok_and(|port| port > 0)) {
        return Err("the port is not a number from 1 to 65535".to_owned());
    }
    match address(host)? {
        Some(address) if forbidden(address) => Err(format!(
            "{address} is a link-local, multicast or unspecified address; name the exchange's host"
        )),
        _ => Ok(()),
    }
}

/// The address that a host is written as, or `None` for a name.
///
/// A name whose last label begins with a digit is read as an address by some resolvers (`2852039166` is
/// 169.254.169.254), so it must be one in the common form.
fn address(host: &str) -> Result<Option<IpAddr>, String> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or(inner);
        return inner
            .parse::<Ipv6Addr>()
            .map(|a| Some(IpAddr::V6(a)))
            .map_err(|_| format!("{inner:?} is no IPv6 address"));
    }
    let mut labels = host.strip_suffix('.').unwrap_or(host).split('.');
    if labels.clone().any(|label| label.is_empty() || label.len() > 63) {
        return Err(format!("{host:?} is no host name"));
    }
    if labels.next_back().is_some_and(|label| label.starts_with(|c: char| c.is_ascii_digit())) {
        return host
            .parse::<Ipv4Addr>()
            .map(|a| Some(IpAddr::V4(a)))
            .map_err(|_| format!("{host:?} is no IPv4 address"));
    }
    Ok(None)
}

fn forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_multicast() || v4.is_unspecified() || v4.is_broadcast(),
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            v6.is_unicast_link_local()
                || v6.is_multicast()
                || v6.is_unspecified()
                // fd00:ec2::254 is a cloud's metadata service.
                || (segments[0] == 0xfd00 && segments[1] == 0x0ec2)
                // An IPv4 address in IPv6 clothes, mapped or embedded.
                || v6.to_ipv4().filter(|_| !v6.is_loopback()).is_some_and(|v4| forbidden(IpAddr::V4(v4)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_cluster_services_and_this_machine_may_be_asked() {
        for endpoint in [
            "https://data-api.binance.vision",
            "https://api1.binance.com:443",
            "https://10.0.0.7:8443",
            "https://[2001:db8::1]:8443",
            "http://localhost:8080",
            "http://127.0.0.1:1",
            "http://[::1]:8080",
            "http://exchange-sim",
            "http://exchange-sim.demo.svc.cluster.local:80",
        ] {
            assert_eq!(check(endpoint), Ok(()), "{endpoint}");
            let stream = endpoint.replacen("http", "ws", 1);
            assert_eq!((check_stream(&stream), check(&stream).is_err()), (Ok(()), true), "{stream}");
        }
    }

    #[test]
    fn what_answers_with_credentials_may_not() {
        for endpoint in [
            "https://169.254.169.254",
            "http://169.254.169.254:80",
            "https://2852039166",
            "https://0xa9fea9fe",
            "https://0251.0376.0251.0376",
            "https://169.254.43518",
            "https://[::ffff:169.254.169.254]",
            "https://[::169.254.169.254]",
            "https://[fe80::1]",
            "https://[fd00:ec2::254]",
            "https://0.0.0.0",
            "https://[::]",
            "https://224.0.0.1",
            "https://example.com:0",
            "https://example.com:99999",
            "https://exa..mple",
            "file:///etc/passwd",
        ] {
            assert!(check(endpoint).is_err(), "{endpoint}");
            let stream = endpoint.replacen("http", "ws", 1);
            assert!(check_stream(&stream).is_err(), "{stream}");
        }
    }
}
