//! Recordings: `larderctl recording …`.

mod adopt;
mod range;
mod verify;
mod view;

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};
use larder_proto::pb::{
    CreatePlayUrlRequest, DeleteRecordingsRequest, GetRecordingRequest, GetTimelineRequest, ListRecordingsRequest,
    PinRangeRequest, StartRecordingRequest, StopRecordingRequest, UnpinRequest,
    delete_recordings_request::{CameraRange, RecordingIds, What},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Failure, Out, camera,
    client::{Hub, quick},
    job, pages,
    target::Target,
    units, when,
};

pub use range::{OptionalRange, RequiredRange};
pub use view::{GapView, PinView, RecordingView, SpanView, TimelineView};

/// What `larderctl recording` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List recordings, newest first
    #[command(visible_alias = "ls")]
    List {
        /// Of this camera only
        camera: Option<String>,
        /// How many at most
        #[arg(long, short = 'n', default_value_t = 50, value_name = "COUNT")]
        limit: usize,
        /// Which time.
        #[command(flatten)]
        range: OptionalRange,
    },
    /// Show everything about one recording
    Show {
        /// Its id
        id: String,
    },
    /// Start recording a camera in manual mode
    Start {
        /// Its name or id
        camera: String,
    },
    /// Stop recording a camera in manual mode; what was recorded is on disk when this returns
    Stop {
        /// Its name or id
        camera: String,
    },
    /// What is recorded, what is not and why, and what is pinned [default: today]
    Timeline {
        /// Its name or id
        camera: String,
        /// Which time.
        #[command(flatten)]
        range: OptionalRange,
    },
    /// Make a URL that plays without signing in, for a while; live unless a time is given
    PlayUrl {
        /// Its name or id
        camera: String,
        /// How long the URL works, 1m to 1d
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = units::duration)]
        valid_for: Duration,
        /// Which time.
        #[command(flatten)]
        range: OptionalRange,
    },
    /// Keep a time from being deleted by retention
    Pin {
        /// Its name or id
        camera: String,
        /// Why, 0 to 200 characters
        #[arg(long, default_value = "")]
        note: String,
        /// Which time.
        #[command(flatten)]
        range: RequiredRange,
    },
    /// Take a pin away
    Unpin {
        /// The pin's id, as `timeline` shows it
        id: String,
    },
    /// Read recordings and compare them with their checksums; what is damaged is named and left out of playback
    Verify {
        /// Of this camera only
        camera: Option<String>,
        /// Which time.
        #[command(flatten)]
        range: OptionalRange,
    },
    /// Take over footage that the hub does not know: after its database was lost, with cameras, keys and pins
    Adopt {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Delete a recording, or a time of a camera, for good
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
}

/// What to delete.
#[derive(Args, Clone, Debug)]
pub struct DeleteArgs {
    /// A recording's id; or a camera's name or id together with a time
    pub what: String,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Do not wait until it is done: the hub goes on by itself
    #[arg(long)]
    pub no_wait: bool,
    /// Which time.
    #[command(flatten)]
    pub range: OptionalRange,
}

/// Runs a command.
///
/// # Errors
///
/// The hub refuses or goes away.
pub async fn run(hub: &Hub, command: Command, out: &mut Out, stop: CancellationToken) -> Result<(), Failure> {
    match command {
        Command::List { camera, range, limit } => list(hub, camera, range, limit, out).await,
        Command::Show { id } => {
            let recording = hub.recordings().get_recording(quick(GetRecordingRequest { id })).await?.into_inner();
            view::show(&RecordingView::of(recording, &names(hub).await?), out)
        }
        Command::Start { camera } => {
            hub.recordings().start_recording(quick(StartRecordingRequest { camera: camera.clone() })).await?;
            out.done(&format!("recording {camera} until `larderctl recording stop {camera}`"))
        }
        Command::Stop { camera } => {
            let working = out.working("finishing the last fragment");
            hub.recordings().stop_recording(quick(StopRecordingRequest { camera: camera.clone() })).await?;
            drop(working);
            out.done(&format!("stopped recording {camera}"))
        }
        Command::Timeline { camera, range } => timeline(hub, camera, range, out).await,
        Command::PlayUrl { camera, range, valid_for } => play_url(hub, camera, range, valid_for, out).await,
        Command::Pin { camera, range, note } => {
            let range = Some(range.wire(out)?);
            let pin = hub.recordings().pin_range(quick(PinRangeRequest { camera, range, note })).await?.into_inner();
            let view = PinView::from(pin);
            out.one(&view, |out| out.line(&format!("pinned; take it away with: larderctl recording unpin {}", view.id)))
        }
        Command::Unpin { id } => {
            hub.recordings().unpin(quick(UnpinRequest { id })).await?;
            out.done("unpinned; retention may delete it now")
        }
        Command::Verify { camera, range } => verify::verify(hub, camera, range, out, &stop).await,
        Command::Adopt { yes } => adopt::adopt(hub, yes, out, &stop).await,
        Command::Delete(args) => delete(hub, args, out, &stop).await,
    }
}

async fn list(
    hub: &Hub,
    camera: Option<String>,
    range: OptionalRange,
    limit: usize,
    out: &mut Out,
) -> Result<(), Failure> {
    let range = range.wire(out)?;
    let camera = camera.unwrap_or_default();
    let recordings = pages::up_to(limit, async |page_size, page_token| {
        let request = ListRecordingsRequest { camera: camera.clone(), range, page_size, page_token };
        let page = hub.recordings().list_recordings(quick(request)).await?.into_inner();
        Ok((page.recordings, page.next_page_token))
    });
    let (recordings, are_more) = recordings.await?;
    if are_more {
        out.note(&format!("only the newest {limit} are listed: more with --limit"));
    }
    let names = names(hub).await?;
    let views: Vec<_> = recordings.into_iter().map(|recording| RecordingView::of(recording, &names)).collect();
    if views.is_empty() && !out.is_json() {
        return out.line("nothing recorded");
    }
    view::list(&views, out)
}

/// Cameras' names by their ids.
async fn names(hub: &Hub) -> Result<BTreeMap<String, String>, Failure> {
    Ok(camera::all(hub).await?.into_iter().map(|camera| (camera.id, camera.name)).collect())
}

async fn timeline(hub: &Hub, camera: String, range: OptionalRange, out: &mut Out) -> Result<(), Failure> {
    let range = match range.wire(out)? {
        Some(range) => range,
        None => range::today(out)?,
    };
    let request = GetTimelineRequest { camera, range: Some(range) };
    let timeline = hub.recordings().get_timeline(quick(request)).await?.into_inner();
    view::timeline(&TimelineView::from(timeline), out)
}

async fn play_url(
    hub: &Hub,
    camera: String,
    range: OptionalRange,
    valid_for: Duration,
    out: &mut Out,
) -> Result<(), Failure> {
    let request = CreatePlayUrlRequest { camera, range: range.wire(out)?, valid_for: Some(units::to_wire(valid_for)) };
    let answer = hub.recordings().create_play_url(quick(request)).await?.into_inner();
    let expires_at = when::from_wire(answer.expires_at.as_ref());
    let view = view::PlayUrlView { path: answer.path, urls: answer.urls, expires_at };
    out.one(&view, |out| {
        // One URL alone on standard output, so that `mpv "$(larderctl recording play-url fridge)"` works.
        out.line(nearest(&view.urls, hub.target()).unwrap_or(&view.path))?;
        if let Some(at) = view.expires_at {
            out.note(&format!("until {}; play it with mpv, VLC or ffplay", when::show(at, out.zone())));
        }
        Ok(())
    })
}

/// The URL on the host that this program itself has reached; else the first.
fn nearest<'a>(urls: &'a [String], target: &Target) -> Option<&'a String> {
    let on_host = |url: &&String| match target {
        Target::Socket(_) => false,
        Target::Remote(remote) => {
            let host = url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
            host.is_some_and(|host| host.trim_matches(['[', ']']) == remote.host)
        }
    };
    urls.iter().find(on_host).or_else(|| urls.first())
}

async fn delete(hub: &Hub, args: DeleteArgs, out: &mut Out, stop: &CancellationToken) -> Result<(), Failure> {
    let (question, what) = match args.range.wire(out)? {
        Some(range) => {
            let shown = range::show(&range, out);
            (
                format!(
                    "Delete everything recorded of \"{}\" {shown}? Whole segments of about a minute go.",
                    args.what
                ),
                What::CameraRange(CameraRange { camera: args.what, range: Some(range) }),
            )
        }
        None if args.what.parse::<uuid::Uuid>().is_ok() => {
            (format!("Delete recording {}?", args.what), What::Recordings(RecordingIds { ids: vec![args.what] }))
        }
        None => {
            return Err(Failure::Usage(format!(
                "\"{}\" is no recording's id; to delete a time of a camera name it with --from and --to, or --day",
                args.what
            )));
        }
    };
    out.confirm(&question, args.yes)?;
    let request = DeleteRecordingsRequest { what: Some(what) };
    let answer = hub.recordings().delete_recordings(quick(request)).await?.into_inner();
    let id = answer.job.as_ref().map(|job| job.id.clone());
    let mut job = answer.job.map(job::View::from);
    if let Some(id) = id.filter(|_| !args.no_wait) {
        match job::follow(hub, &id, out, stop, |_, _| Ok(())).await? {
            Some(finished) => job = Some(finished),
            None => out.note(&format!("The hub goes on with it: larderctl job watch {id}, larderctl job cancel {id}")),
        }
    }
    let view = view::DeletedView { segments: answer.segments, bytes: answer.bytes, job };
    view::deleted(&view, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Remote, Trust};

    #[test]
    fn the_url_is_for_where_the_person_is() {
        let urls = ["http://localhost:8080/hls/x", "https://pi.local:8443/hls/x"].map(str::to_owned);
        let at = |host: &str| {
            Target::Remote(Remote { host: host.to_owned(), port: 7442, trust: Trust::System, token: None })
        };
        assert_eq!(nearest(&urls, &Target::Socket("x".into())), Some(&urls[0]));
        assert_eq!(nearest(&urls, &at("pi.local")), Some(&urls[1]));
        assert_eq!(nearest(&urls, &at("10.0.0.9")), Some(&urls[0]));
        assert_eq!(nearest(&[], &at("pi.local")), None);
    }
}
