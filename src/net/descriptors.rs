//! How many file descriptors this process may open. A socket needs one; a process without a free one can neither accept nor
//! refuse.

use std::os::fd::AsRawFd;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are reserved for Redis, PostgreSQL, the other nodes, files, and refusals.
pub const RESERVE: usize = 256;

/// Raises the limit of this process as far as allowed, and returns it.
pub fn raise() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
    limit()
}

/// How many this process may open.
pub fn limit() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

/// How many of `limit` clients may use; if there are few, at least a quarter is reserved.
pub fn for_clients(limit: usize) -> usize {
    limit.saturating_sub(RESERVE.min(limit / 4))
}

/// Whether a connection that was just accepted is one too many. The system assigns the lowest free number, so a high one shows
/// how many descriptors are open.
pub fn is_scarce(accepted: &impl AsRawFd, for_clients: usize) -> bool {
    usize::try_from(accepted.as_raw_fd()).is_ok_and(|number| number >= for_clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        assert_eq!(Some(raise() as u64), getrlimit(Resource::Nofile).maximum.or(Some(usize::MAX as u64)));
    }

    #[test]
    fn clients_get_all_but_a_reserve() {
        for (limit, expected) in [(100_000, 99_744), (1_024, 768), (256, 192), (0, 0)] {
            assert_eq!(for_clients(limit), expected, "{limit}");
        }
    }

    #[test]
    fn a_high_number_tells_that_few_are_left() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(is_scarce(&file, 1) && !is_scarce(&file, usize::MAX));
    }
}
