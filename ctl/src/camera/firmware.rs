//! `larderctl camera update`: new firmware over the air.

use std::{fs, path::PathBuf};

use bytes::Bytes;
use clap::Args;
use larder_proto::pb::{UpdateFirmwareRequest, update_firmware_response::Step};
use serde::Serialize;

use crate::{Failure, Out, client::Hub, progress::Progress};

/// What stands before the version in an image of the project's own firmware.
const MARK: &[u8] = b"fridgecam-version=";

/// Which camera, and what it is to run.
#[derive(Args, Clone, Debug)]
pub struct UpdateArgs {
    /// Its name or id
    pub camera: String,
    /// The program that the build made, a `.bin`
    pub image: PathBuf,
    /// Its version: numbers with dots between [default: found in the image]
    #[arg(long, value_name = "VERSION")]
    pub firmware_version: Option<String>,
    /// Also when the camera runs a newer one
    #[arg(long)]
    pub force: bool,
}

#[derive(Serialize)]
struct View<'a> {
    camera: &'a str,
    firmware_version: &'a str,
    bytes: u32,
}

pub(super) async fn update(hub: &Hub, args: UpdateArgs, out: &mut Out) -> Result<(), Failure> {
    let image = fs::read(&args.image).map_err(|source| Failure::file(&args.image, source))?;
    let version = args.firmware_version.or_else(|| version_in(&image)).ok_or_else(|| {
        let file = args.image.display();
        Failure::Usage(format!("no version was found in {file}: say which it is with --firmware-version"))
    })?;
    let progress = Progress::new(out, image.len());
    progress.at(format!("sending {version}"));
    let request = UpdateFirmwareRequest {
        camera: args.camera.clone(),
        image: Bytes::from(image).into(),
        version: version.clone(),
        forced: args.force,
    };
    let mut steps = hub.cameras().update_firmware(request).await?.into_inner();
    let mut bytes = 0;
    while let Some(step) = steps.message().await? {
        bytes = step.image_bytes;
        progress.set(step.sent_bytes.into());
        if step.step() == Step::Restarting {
            progress.at("the camera starts anew");
        }
    }
    drop(progress);
    let view = View { camera: &args.camera, firmware_version: &version, bytes };
    out.one(&view, |out| out.line(&format!("{} runs firmware {version}", args.camera)))
}

/// The version that an image says it is.
fn version_in(image: &[u8]) -> Option<String> {
    let at = image.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    let version: Vec<u8> =
        image[at..].iter().copied().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').collect();
    String::from_utf8(version).ok().filter(|version| !version.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_where_the_firmware_says_it() {
        assert_eq!(version_in(b"\xe9..fridgecam-version=1.20.3\0more").as_deref(), Some("1.20.3"));
        assert_eq!(version_in(b"\xe9..fridgecam-version=\0"), None);
        assert_eq!(version_in(b"\xe9"), None);
    }
}
