//! Who counts as one client where clients are counted.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address, or the /64 that one subscriber of IPv6 has to itself.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_is_an_ipv4_address_or_an_ipv6_network_of_64_bits() {
        for (one, other, same) in [
            ("1.2.3.4", "1.2.3.4", true),
            ("1.2.3.4", "::ffff:1.2.3.4", true),
            ("1.2.3.4", "1.2.3.5", false),
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let [one_of, other_of] = [one, other].map(|address| subscriber(address.parse().unwrap()));
            assert_eq!(one_of == other_of, same, "{one} {other}");
        }
    }
}
