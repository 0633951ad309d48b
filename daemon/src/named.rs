//! Things that people name: what a name may be, and finding them by it.

use std::sync::Arc;

/// What has a name that nothing else of its kind has.
pub trait Named {
    /// It.
    fn name(&self) -> &str;
}

/// What is wrong with a name, if something is.
pub fn complaint(name: &str) -> Option<String> {
    let mut bytes = name.bytes();
    let is_name = bytes.next().is_some_and(|first| first.is_ascii_lowercase())
        && name.len() <= 32
        && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (!is_name).then(|| format!("{name:?} is not 1 to 32 of a-z, 0-9 and `-`, beginning with a letter"))
}

/// All of a kind, by name.
#[derive(Debug)]
pub struct ByName<T>(Vec<Arc<T>>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Named> FromIterator<Arc<T>> for ByName<T> {
    fn from_iter<I: IntoIterator<Item = Arc<T>>>(all: I) -> Self {
        let mut all: Vec<_> = all.into_iter().collect();
        // By bytes, as they are searched; PostgreSQL's order depends on the locale.
        all.sort_by(|one, other| one.name().cmp(other.name()));
        Self(all)
    }
}

impl<T: Named> ByName<T> {
    /// The one of that name.
    pub fn find(&self, name: &str) -> Option<Arc<T>> {
        let at = self.0.binary_search_by(|one| one.name().cmp(name)).ok()?;
        self.0.get(at).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Arc<T>> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Named for String {
        fn name(&self) -> &str {
            self
        }
    }

    #[test]
    fn names_are_short_and_lower_case() {
        for name in ["a", "fridge-2", &"x".repeat(32)] {
            assert_eq!(complaint(name), None);
        }
        for name in ["", "-a", "2nd", "Fridge", "käse", "a b", &"x".repeat(33)] {
            assert!(complaint(name).is_some(), "{name}");
        }
    }

    #[test]
    fn each_is_found_whatever_order_they_came_in() {
        let names: ByName<String> =
            ["top", "a-2", "a1", "b"].map(|name| Arc::new(name.to_owned())).into_iter().collect();
        assert!(["a1", "a-2", "b", "top"].iter().all(|name| names.find(name).is_some_and(|found| *found == **name)));
        assert!(names.find("c").is_none());
        assert_eq!(names.all().len(), 4);
    }
}
