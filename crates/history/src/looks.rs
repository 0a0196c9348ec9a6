//! Whether somebody looked at what was acknowledged: what nobody reads afterwards may be lost, and nothing would show it.

use std::collections::BTreeMap;

/// Of each key, the end of its last acknowledged change and the beginning of its last answered read, as places in a history.
#[derive(Default)]
pub struct Looks {
    changed: BTreeMap<i64, usize>,
    read: BTreeMap<i64, usize>,
}

impl Looks {
    /// A change of a key was acknowledged.
    pub fn changed(&mut self, key: i64, ended: Option<usize>) {
        let last = self.changed.entry(key).or_default();
        *last = ended.unwrap_or_default().max(*last);
    }

    /// A key was read.
    pub fn read(&mut self, key: i64, invoked: usize) {
        let last = self.read.entry(key).or_default();
        *last = invoked.max(*last);
    }

    /// What nobody looked at, in words.
    pub fn missing(&self) -> Vec<String> {
        let unread = |(key, changed): &(&i64, &usize)| self.read.get(key).is_none_or(|read| read < changed);
        let keys: Vec<String> = self.changed.iter().filter(unread).map(|(key, _)| key.to_string()).collect();
        match &keys[..] {
            [] => Vec::new(),
            keys => {
                vec![format!("nobody read these after their last acknowledged change: {}", keys.join(" "))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_read_that_began_after_the_last_change_counts() {
        let mut looks = Looks::default();
        assert!(looks.missing().is_empty());
        looks.changed(1, Some(5));
        looks.changed(2, Some(7));
        looks.read(1, 6);
        looks.read(2, 3);
        assert!(looks.missing()[0].ends_with("change: 2"), "{:?}", looks.missing());
        looks.read(2, 8);
        assert!(looks.missing().is_empty());
    }
}
