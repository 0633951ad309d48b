//! What a broker is to hold for the hub (retained messages), and what it may not hold yet: pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// The newest message of each topic. An older one that was not sent is never sent.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    kept: BTreeMap<String, Bytes>,
    /// Topics whose message is to be sent.
    unsent: BTreeSet<String>,
}

impl Shelf {
    /// Keeps a message; `false` when the broker has it already, or will.
    pub(super) fn keep(&mut self, topic: &str, payload: Bytes) -> bool {
        if self.kept.get(topic) == Some(&payload) {
            return false;
        }
        self.kept.insert(topic.to_owned(), payload);
        self.unsent.insert(topic.to_owned())
    }

    /// Takes a message away, whether it is known here or from another life of the hub.
    pub(super) fn forget(&mut self, topic: &str) {
        self.kept.remove(topic);
        self.unsent.insert(topic.to_owned());
    }

    pub(super) fn has(&self, topic: &str) -> bool {
        self.kept.contains_key(topic)
    }

    /// Topics below here.
    pub(super) fn below(&self, prefix: &str) -> Vec<String> {
        self.kept.keys().filter(|topic| topic.starts_with(prefix)).cloned().collect()
    }

    /// A broker that was away may hold nothing: all is sent again.
    pub(super) fn begin_again(&mut self) {
        self.unsent.extend(self.kept.keys().cloned());
    }

    /// The next to be sent. An empty message takes away what the broker holds (MQTT 3.1.1, section 3.3.1.3).
    pub(super) fn next(&mut self) -> Option<(String, Bytes)> {
        let topic = self.unsent.pop_first()?;
        let payload = self.kept.get(&topic).cloned().unwrap_or_default();
        Some((topic, payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_message_of_a_topic_is_sent_and_all_again_to_a_new_broker() {
        let mut shelf = Shelf::default();
        assert!(shelf.keep("a", Bytes::from_static(b"1")));
        shelf.keep("a", Bytes::from_static(b"2"));
        assert_eq!(shelf.next(), Some(("a".to_owned(), Bytes::from_static(b"2"))));
        assert!(!shelf.keep("a", Bytes::from_static(b"2")), "the broker has it");
        assert_eq!(shelf.next(), None);
        shelf.begin_again();
        assert_eq!(shelf.next(), Some(("a".to_owned(), Bytes::from_static(b"2"))));
        shelf.forget("a");
        assert_eq!((shelf.next(), shelf.has("a")), (Some(("a".to_owned(), Bytes::new())), false));
        shelf.begin_again();
        assert_eq!(shelf.next(), None, "nothing is left to tell");
    }
}
