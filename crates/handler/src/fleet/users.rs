//! Users and their verifiers, all held here, so that a login asks nobody and an unknown user costs what a known one costs.

use std::{collections::HashMap, sync::RwLock};

use wire::scram::Verifier;

use crate::limits::USERS_MAX;

/// Verifiers by user. Empty until the first time the watch has filled it.
pub(crate) struct Users {
    verifiers: RwLock<HashMap<String, Verifier>>,
    decoy: [u8; 32],
}

impl Users {
    /// `decoy` is secret, and the same on every handler of the fleet and in every life of it.
    pub(crate) fn new(decoy: [u8; 32]) -> Self {
        Self { verifiers: RwLock::default(), decoy }
    }

    /// The user's verifier; one that nothing satisfies when there is no such user.
    pub(crate) fn verifier(&self, user: &str) -> Verifier {
        // Both are always made, so that time does not tell which one is given.
        let decoy = Verifier::decoy(user, &self.decoy);
        self.read(|verifiers| verifiers.get(user).cloned()).unwrap_or(decoy)
    }

    /// A user is like this now; `None` when it is gone. What is no verifier counts as none: nobody can log in with it.
    pub(crate) fn put(&self, user: &str, verifier: Option<&str>) {
        let verifier = verifier.and_then(|text| match text.parse::<Verifier>() {
            Ok(verifier) => Some(verifier),
            Err(error) => {
                tracing::error!(user, %error, "the map holds a verifier that cannot be read: nobody can log in as this user");
                None
            }
        });
        let mut verifiers = self.verifiers.write().expect("BUG: nothing panics while holding this lock");
        match verifier {
            Some(verifier) if verifiers.len() < USERS_MAX || verifiers.contains_key(user) => {
                verifiers.insert(user.to_owned(), verifier);
            }
            Some(_) => {
                tracing::error!(user, users_max = USERS_MAX, "too many users: this one cannot log in here")
            }
            None => {
                verifiers.remove(user);
            }
        }
    }

    /// Keeps only these users.
    pub(super) fn retain(&self, is_kept: impl Fn(&str) -> bool) {
        let mut verifiers = self.verifiers.write().expect("BUG: nothing panics while holding this lock");
        verifiers.retain(|user, _| is_kept(user));
    }

    fn read<T>(&self, read: impl FnOnce(&HashMap<String, Verifier>) -> T) -> T {
        read(&self.verifiers.read().expect("BUG: nothing panics while holding this lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_gets_the_same_decoy_every_time() {
        let users = Users::new([1; 32]);
        assert!(users.verifier("a") == users.verifier("a"));
        assert!(users.verifier("a") != users.verifier("b"));
        assert!(users.verifier("a") == Users::new([1; 32]).verifier("a"), "on every handler");
    }

    #[test]
    fn a_changed_verifier_is_used_at_once_and_a_dropped_user_is_unknown() {
        let users = Users::new([1; 32]);
        let verifier = |password| Verifier::new(password, &[7; 16], 1).expect("in bounds");
        for password in ["one", "two"] {
            users.put("a", Some(&verifier(password).to_string()));
            assert!(users.verifier("a") == verifier(password), "{password}");
        }
        users.put("a", None);
        assert!(users.verifier("a") == users.verifier("a") && users.verifier("a") != verifier("two"));
        users.put("a", Some("nonsense"));
        users.put("b", Some(&verifier("b").to_string()));
        users.retain(|user| user != "b");
        assert!(users.verifier("b") != verifier("b"));
    }
}
