//! `larderctl camera snapshot`: the newest picture into a file.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use crate::{Failure, Out, client::Hub, fetch::fetch, units::show_bytes};

/// Whose picture, and where to.
#[derive(Args, Clone, Debug)]
pub struct SnapshotArgs {
    /// Its name or id
    pub camera: String,
    /// Where to; `-` is standard output [default: CAMERA-DATE-TIME.jpg here]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Serialize)]
struct View<'a> {
    file: &'a Path,
    bytes: usize,
    captured_at: Option<&'a str>,
}

pub(super) async fn snapshot(hub: &Hub, args: SnapshotArgs, out: &mut Out) -> Result<(), Failure> {
    let fetched = fetch(hub, &format!("/cameras/{}/snapshot.jpg", path_segment(&args.camera)?)).await?;
    if args.output.as_deref() == Some(Path::new("-")) {
        return out.bytes(&fetched.body);
    }
    let named = args.output.is_some();
    let file = args.output.unwrap_or_else(|| {
        let at = out.now().to_zoned(out.zone().clone()).strftime("%Y%m%d-%H%M%S").to_string();
        PathBuf::from(format!("{}-{at}.jpg", args.camera))
    });
    // A file that was named is meant to be replaced; one that we name is not.
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(!named).create(named).truncate(named);
    options
        .open(&file)
        .and_then(|mut opened| opened.write_all(&fetched.body))
        .map_err(|source| Failure::file(&file, source))?;
    let captured_at = fetched.headers.get("x-captured-at").and_then(|value| value.to_str().ok());
    let view = View { file: &file, bytes: fetched.body.len(), captured_at };
    out.one(&view, |out| {
        let at = captured_at.map(|at| format!(", captured at {at}")).unwrap_or_default();
        out.line(&format!("{} ({}{at})", file.display(), show_bytes(u64::try_from(view.bytes).unwrap_or(u64::MAX))))
    })
}

/// Ids and names need no escapes; anything else is no camera.
fn path_segment(camera: &str) -> Result<&str, Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !camera.is_empty() && camera.bytes().all(plain) {
        Ok(camera)
    } else {
        Err(Failure::Other(format!("no such camera \"{camera}\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cameras_name_cannot_reach_another_path() {
        assert_eq!(path_segment("fridge-2").ok(), Some("fridge-2"));
        for wrong in ["", "../system", "a b", "a%2Fb", "a?x"] {
            assert!(path_segment(wrong).is_err(), "{wrong:?} was taken");
        }
    }
}
