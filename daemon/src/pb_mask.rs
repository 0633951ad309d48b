//! Which fields of a message an update changes (google.aip.dev/134).

use prost_types::FieldMask;

/// Every field: what is not set in the message takes its default.
const ALL: &str = "*";

/// Whether a mask means every field.
pub fn is_all(mask: Option<&FieldMask>) -> bool {
    mask.is_some_and(|mask| mask.paths == [ALL])
}

/// The paths of a mask; those of the fields that are set where it has none; all for `*`. A path within another's is
/// left out there: the whole field is changed.
///
/// # Errors
/// When it has a path that is not `known`: the mask and why.
pub fn paths(
    mask: Option<&FieldMask>,
    set: impl FnOnce() -> Vec<String>,
    known: &[&str],
) -> Result<Vec<String>, (String, String)> {
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else { return Ok(set()) };
    if is_all(Some(mask)) {
        let whole = |path: &&&str| !path.rsplit_once('.').is_some_and(|(parent, _)| known.contains(&parent));
        return Ok(known.iter().filter(whole).map(|path| (*path).to_owned()).collect());
    }
    match mask.paths.iter().find(|path| !known.contains(&path.as_str())) {
        None => Ok(mask.paths.clone()),
        Some(path) => {
            Err(("update_mask".to_owned(), format!("{path:?} is not one of {}, nor * by itself", known.join(", "))))
        }
    }
}

/// The paths of fields, each with whether it is set.
pub fn set(fields: &[(&str, bool)]) -> Vec<String> {
    fields.iter().filter(|(_, is_set)| *is_set).map(|(path, _)| (*path).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(mask: &[&str]) -> Result<Vec<String>, (String, String)> {
        let mask = FieldMask { paths: mask.iter().map(|path| (*path).to_owned()).collect() };
        paths(Some(&mask), || vec!["title".to_owned()], &["title", "capture", "capture.size"])
    }

    #[test]
    fn a_star_is_every_field_and_no_mask_is_what_is_set() {
        assert_eq!(of(&["*"]).unwrap(), ["title", "capture"]);
        assert_eq!(of(&["capture.size"]).unwrap(), ["capture.size"]);
        assert_eq!(of(&[]).unwrap(), ["title"]);
        for wrong in [&["*", "title"][..], &["id"], &[""]] {
            assert_eq!(of(wrong).unwrap_err().0, "update_mask", "{wrong:?}");
        }
    }
}
