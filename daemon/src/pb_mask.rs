//! Which fields of a message an update changes (google.aip.dev/134).

use prost_types::FieldMask;

/// The paths of a mask; those of the fields that are set where it has none.
///
/// # Errors
/// When it has a path that is not `known`: the mask and why.
pub fn paths(
    mask: Option<&FieldMask>,
    set: impl FnOnce() -> Vec<String>,
    known: &[&str],
) -> Result<Vec<String>, (String, String)> {
    let Some(mask) = mask.filter(|mask| !mask.paths.is_empty()) else { return Ok(set()) };
    match mask.paths.iter().find(|path| !known.contains(&path.as_str())) {
        None => Ok(mask.paths.clone()),
        Some(path) => Err(("update_mask".to_owned(), format!("{path:?} is not one of {}", known.join(", ")))),
    }
}

/// The paths of fields, each with whether it is set.
pub fn set(fields: &[(&str, bool)]) -> Vec<String> {
    fields.iter().filter(|(_, is_set)| *is_set).map(|(path, _)| (*path).to_owned()).collect()
}
