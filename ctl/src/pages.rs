//! Lists that the hub gives page by page.

use crate::Failure;

/// Items on a page, at most: what the hub gives.
const PAGE: usize = 1000;

/// The whole list. `ask` gets a page's size and token; it gives what is on it and the next one's token, which is empty
/// on the last.
///
/// # Errors
///
/// Those of `ask`.
pub(crate) async fn all<T>(
    ask: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    Ok(up_to(usize::MAX, ask).await?.0)
}

/// The first so many of a list, and whether there are more.
///
/// # Errors
///
/// Those of `ask`.
pub(crate) async fn up_to<T>(
    limit: usize,
    mut ask: impl AsyncFnMut(i32, String) -> Result<(Vec<T>, String), Failure>,
) -> Result<(Vec<T>, bool), Failure> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let size = limit.saturating_sub(found.len()).min(PAGE);
        if size == 0 {
            return Ok((found, true));
        }
        let (page, next) = ask(i32::try_from(size).unwrap_or(i32::MAX), token).await?;
        found.extend(page);
        if next.is_empty() {
            return Ok((found, false));
        }
        token = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of the numbers below `len`, and the sizes of its pages.
    async fn listed(len: usize, limit: usize) -> (Vec<usize>, bool, Vec<i32>) {
        let mut sizes = Vec::new();
        let ask = async |size: i32, token: String| {
            sizes.push(size);
            let from: usize = if token.is_empty() { 0 } else { token.parse().unwrap() };
            let to = len.min(from + usize::try_from(size).unwrap());
            let next = if to < len { to.to_string() } else { String::new() };
            Ok(((from..to).collect(), next))
        };
        let (found, is_cut) = up_to(limit, ask).await.unwrap();
        (found, is_cut, sizes)
    }

    #[tokio::test]
    async fn a_list_is_read_to_its_end_or_as_far_as_is_wanted() {
        assert_eq!(listed(0, usize::MAX).await, (vec![], false, vec![1000]));
        assert_eq!(listed(2001, usize::MAX).await, ((0..2001).collect(), false, vec![1000; 3]));
        assert_eq!(listed(2000, 1500).await, ((0..1500).collect(), true, vec![1000, 500]));
        assert_eq!(listed(3, 3).await, ((0..3).collect(), false, vec![3]));
        assert_eq!(listed(3, 0).await, (vec![], true, vec![]));
    }
}
