//! Which addresses may be called: anybody can post an invite that names any URL, so nothing inside the own network is
//! dialled unless that is wanted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Which partners may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// https, and public addresses.
    Public,
    /// Also http, and private or loopback addresses.
    Private,
}

impl Allowed {
    /// Judges a URL by its text: scheme, and the address where it is a literal one.
    ///
    /// # Errors
    /// Why it may not be called, and what would allow it.
    pub fn check(self, url: &str) -> Result<Url, String> {
        let parsed = Url::parse(url).map_err(|error| format!("not a URL: {error}"))?;
        match parsed.scheme() {
            "https" => {}
            "http" if self == Self::Private => {}
            "http" => {
                return Err(
                    "http is not allowed: use https, or set delivery.allow_private_partners".to_owned()
                );
            }
            other => return Err(format!("{other} is no scheme of a partner: use https")),
        }
        if parsed.query().is_some() || parsed.fragment().is_some() {
            return Err("a sharing URL has neither ? nor #: what is shared is named behind it".to_owned());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("a partner's URL holds no user or password".to_owned());
        }
        let literal = match parsed.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain("localhost")) => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            Some(Host::Domain(_)) => None,
            None => return Err("the URL names no host".to_owned()),
        };
        match literal {
            Some(ip) if !self.permits(ip) => {
                Err(format!("the address {ip} is not allowed: it is not public"))
            }
            _ => Ok(parsed),
        }
    }

    fn permits(self, ip: IpAddr) -> bool {
        self == Self::Private || is_public(ip)
    }
}

/// Whether an address is one of the public internet.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped().or_else(|| embedded_v4(ip)) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (18..20).contains(&b))
        || (a == 192 && b == 88 && c == 99)
        // Where a cloud answers its machines about themselves.
        || ip == Ipv4Addr::new(168, 63, 129, 16))
}

/// Global unicast alone, without what documents, tunnels or translates.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let global = first & 0xe000 == 0x2000;
    global && !(first == 0x2001 && (second < 0x200 || second == 0xdb8)) && first != 0x3fff
}

/// The IPv4 address inside a 6to4 or NAT64 one.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0x2002, high, low, ..] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        _ => None,
    }
}

/// Resolves names, and lets through only addresses that may be dialled: a name that changes its answer gains nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckedResolver(pub(super) Allowed);

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0;
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let permitted: Vec<SocketAddr> =
                found.into_iter().filter(|address| allowed.permits(address.ip())).collect();
            if permitted.is_empty() {
                return Err(format!("{host} has no address that is allowed").into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_inside_the_network_is_called_unless_that_is_wanted() {
        for url in [
            "http://lens.example/sharing",
            "https://127.0.0.1/sharing",
            "https://localhost/sharing",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[fd00::1]/",
            "https://[64:ff9b::a00:1]/",
            "https://100.64.0.1/",
            "https://user:secret@lens.example/",
            "ftp://lens.example/",
            "lens.example",
        ] {
            assert!(Allowed::Public.check(url).is_err(), "{url}");
        }
        assert!(Allowed::Public.check("https://lens.example/sharing").is_ok());
        assert!(Allowed::Public.check("https://93.184.216.34/sharing").is_ok());
        assert!(Allowed::Private.check("http://127.0.0.1:8085/sharing").is_ok());
    }
}
