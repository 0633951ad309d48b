//! Pages of lists: how many at once, and tokens for the next one (google.aip.dev/158).

use std::{fmt::Display, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{named::Named, outcome::Refusal};

/// A page when the request names no size.
const DEFAULT: u16 = 100;
/// The largest page: what is asked beyond is cut, not refused.
const LARGEST: u16 = 1000;
/// Bytes of a token that tell whose it is.
const CHECK: usize = 4;

/// The size of a page.
///
/// # Errors
/// When a negative number was asked for.
pub fn size(wanted: i32) -> Result<u16, Refusal> {
    match u32::try_from(wanted) {
        Ok(0) => Ok(DEFAULT),
        Ok(size) => Ok(u16::try_from(size).unwrap_or(LARGEST).min(LARGEST)),
        Err(_) => Err(Refusal::field("page_size", format!("{wanted} is negative"))),
    }
}

/// A list that is given page by page, by the name that its tokens are made for.
#[derive(Clone, Copy, Debug)]
pub struct List(pub &'static str);

impl List {
    /// The token of the page behind `last`, which says where the page before ended, so that the list stays right when
    /// some come and go. Opaque: callers give it back and read nothing in it.
    pub fn token(self, last: impl Display) -> String {
        let last = last.to_string();
        let check = self.check(last.as_bytes());
        URL_SAFE_NO_PAD.encode([&check[..], last.as_bytes()].concat())
    }

    /// Where the page before ended; `None` for an empty token, which is the first page.
    ///
    /// # Errors
    /// When the token was not given out for this list.
    pub fn after<T>(self, token: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        if token.is_empty() {
            return Ok(None);
        }
        let last = || {
            let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
            let (check, last) = bytes.split_at_checked(CHECK)?;
            if *check != self.check(last) {
                return None;
            }
            parse(std::str::from_utf8(last).ok()?)
        };
        let wrong = || Refusal::field("page_token", format!("{token:?} was not given out for this list"));
        last().map(Some).ok_or_else(wrong)
    }

    /// Tells this list's tokens from another's and from junk. It protects nothing: what a caller may see is decided
    /// elsewhere.
    fn check(self, last: &[u8]) -> [u8; CHECK] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.0.as_bytes()).update(&[0]).update(last);
        let mut check = [0; CHECK];
        hasher.finalize_xof().fill(&mut check);
        check
    }
}

/// A page of what is sorted by name, and the token of the next one, empty on the last.
///
/// # Errors
/// As [`size`] and [`List::after`].
pub fn by_name<T: Named>(
    list: List,
    all: &[Arc<T>],
    page_size: i32,
    page_token: &str,
) -> Result<(Vec<Arc<T>>, String), Refusal> {
    let size = usize::from(size(page_size)?);
    let after = list.after(page_token, |name| Some(name.to_owned()))?;
    let mut rest = all.iter().filter(|one| after.as_deref().is_none_or(|after| one.name() > after));
    let page: Vec<_> = rest.by_ref().take(size).cloned().collect();
    let next = rest.next().and(page.last()).map(|last| list.token(last.name()));
    Ok((page, next.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::List;

    #[test]
    fn a_token_comes_back_as_what_it_was_made_of_and_junk_is_refused() {
        let cameras = List("cameras");
        let token = cameras.token("fridge");
        let after = |list: List, token: &str| list.after(token, |last| Some(last.to_owned()));
        assert_eq!(after(cameras, &token).unwrap().as_deref(), Some("fridge"));
        assert_eq!(after(cameras, "").unwrap(), None);
        assert!(!token.contains("fridge"), "{token}");
        let cut = &token[..token.len() - 2];
        for junk in ["x", "fridge", "AAAA", "AAAAAAAA", "\u{0}", "=", cut, &format!("{token}AA")] {
            assert_eq!(after(cameras, junk).unwrap_err().fields[0].0, "page_token", "{junk:?}");
        }
        assert!(after(List("sensors"), &token).is_err(), "another list's");
        assert!(cameras.after(&token, |_| None::<u8>).is_err(), "what is in it makes no sense");
    }

    #[test]
    fn a_page_has_a_size_whatever_is_asked() {
        let size = |wanted| super::size(wanted).ok();
        assert_eq!([0, 1, 1000, 1001, 70_000].map(size), [100, 1, 1000, 1000, 1000].map(Some));
        assert_eq!(super::size(-1).unwrap_err().fields[0].0, "page_size");
    }
}
