//! How many of a list a message asks for at once (google.aip.dev/158).

use std::sync::Arc;

use crate::{named::Named, outcome::Refusal};

/// A page when the request names no size.
const DEFAULT: u16 = 100;
/// The largest page: what is asked beyond is cut, not refused.
const LARGEST: u16 = 1000;

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

/// A page of what is sorted by name, and the token of the next one, empty on the last.
///
/// # Errors
/// As [`size`].
pub fn by_name<T: Named>(all: &[Arc<T>], page_size: i32, page_token: &str) -> Result<(Vec<Arc<T>>, String), Refusal> {
    let size = usize::from(size(page_size)?);
    // The token is the last name of the page before: it stays right when some come and go.
    let mut rest = all.iter().filter(|one| one.name() > page_token);
    let page: Vec<_> = rest.by_ref().take(size).cloned().collect();
    let next = rest.next().and(page.last()).map(|last| last.name().to_owned());
    Ok((page, next.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_page_has_a_size_whatever_is_asked() {
        let size = |wanted| super::size(wanted).ok();
        assert_eq!([0, 1, 1000, 1001, 70_000].map(size), [100, 1, 1000, 1000, 1000].map(Some));
        assert_eq!(super::size(-1).unwrap_err().fields[0].0, "page_size");
    }
}
