//! A server starts a life under a name that is in use: has the old life ended?

use model::{Incarnation, Registration, Server};

/// The old life that the new one may end, if any. The map refuses the registration when there is one and it may not.
///
/// The new process may take over when it answers at the very addresses of the old one: only one of them can hold the
/// listeners, and the caller makes sure that nobody answers there in the old life. And when the old life's lease has
/// lapsed.
pub fn supersedes(
    known: Option<&Server>,
    registration: &Registration,
    incarnation: Incarnation,
    lapsed: bool,
) -> Option<Incarnation> {
    let old = known.filter(|old| old.state.is_alive() && old.incarnation != incarnation)?;
    let same_place =
        old.data_address == registration.data_address && old.control_address == registration.control_address;
    (same_place || lapsed).then_some(old.incarnation)
}

#[cfg(test)]
mod tests {
    use model::{Command, Entry, Fleet, Name, Revision, TimestampMs};

    use super::*;

    fn registration(address: &str) -> Registration {
        Registration {
            name: Name::new("s1").expect("a name"),
            data_address: address.into(),
            control_address: address.into(),
            location: String::new(),
            capacity: 1,
        }
    }

    fn server() -> Server {
        let mut fleet = Fleet::default();
        let command = Command::RegisterServer {
            registration: registration("a:1"),
            supersedes: None,
            incarnation: Incarnation(1),
        };
        fleet.apply(Revision(1), &Entry::new(TimestampMs(0), command)).expect("a free name");
        fleet.server_named("s1").expect("just registered").1.clone()
    }

    #[test]
    fn a_process_at_the_same_addresses_takes_over() {
        let old = server();
        assert_eq!(supersedes(Some(&old), &registration("a:1"), Incarnation(2), false), Some(Incarnation(1)));
    }

    #[test]
    fn a_process_elsewhere_waits_for_the_lease() {
        let old = server();
        let elsewhere = registration("b:1");
        assert_eq!(supersedes(Some(&old), &elsewhere, Incarnation(2), false), None);
        assert_eq!(supersedes(Some(&old), &elsewhere, Incarnation(2), true), Some(Incarnation(1)));
    }

    #[test]
    fn a_repeated_registration_ends_nothing() {
        assert_eq!(supersedes(Some(&server()), &registration("a:1"), Incarnation(1), true), None);
        assert_eq!(supersedes(None, &registration("a:1"), Incarnation(1), true), None);
    }
}
