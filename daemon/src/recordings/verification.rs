//! What was found when recordings were compared with their checksums.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use futures_util::{Stream, stream};
use jiff::Timestamp;
use larder_proto::{pb, wire::CameraId};

use super::{Extent, FragmentIndex, Store, StoredSegment, service::Commands};
use crate::{outcome::Refusal, pb_time::timestamp};

/// Rows asked for together.
const BATCH: u32 = 64;

/// One segment, as it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Which.
    pub segment: StoredSegment,
    /// Fragments that are not what was recorded.
    pub damaged: usize,
    /// Fragments without a checksum.
    pub not_verifiable: usize,
    /// Whether its file is not there.
    pub is_missing: bool,
}

impl Verified {
    /// A segment whose file was read.
    pub fn of(segment: StoredSegment, fragments: &FragmentIndex) -> Self {
        let without = fragments.fragments().iter().filter(|one| one.crc32c.is_none() && !one.is_damaged).count();
        Self { segment, damaged: fragments.damaged(), not_verifiable: without, is_missing: false }
    }

    /// A segment without a file.
    pub fn missing(segment: StoredSegment) -> Self {
        Self { segment, damaged: 0, not_verifiable: 0, is_missing: true }
    }

    fn finding(&self) -> Option<pb::DamagedSegment> {
        (self.is_missing || self.damaged > 0).then(|| pb::DamagedSegment {
            camera_id: self.segment.camera.to_string(),
            recording_id: self.segment.run.0.to_string(),
            started_at: Some(timestamp(self.segment.started_at)),
            ended_at: Some(timestamp(self.segment.ended_at)),
            path: self.segment.path(),
            fragments: self.segment.fragments,
            damaged: u32::try_from(self.damaged).unwrap_or(u32::MAX),
            is_missing: self.is_missing,
        })
    }
}

/// What is verified, one segment after the other.
pub(super) struct Verification {
    store: Store,
    recorder: Arc<dyn Commands>,
    camera: Option<CameraId>,
    range: Option<Range<Timestamp>>,
    waiting: VecDeque<i64>,
    after: i64,
    done: pb::VerifyRecordingsResponse,
}

impl Verification {
    pub(super) async fn begin(
        store: Store,
        recorder: Arc<dyn Commands>,
        camera: Option<CameraId>,
        range: Option<Range<Timestamp>>,
    ) -> Result<Self, Refusal> {
        let Extent { segments, bytes } = store.verifiable_size(camera, range.as_ref()).await?;
        let done = pb::VerifyRecordingsResponse { all_segments: segments, all_bytes: bytes, ..Default::default() };
        Ok(Self { store, recorder, camera, range, waiting: VecDeque::new(), after: 0, done })
    }

    /// What is done after each segment, from nothing on; each finding once.
    pub(super) fn stream(self) -> impl Stream<Item = Result<pb::VerifyRecordingsResponse, Refusal>> {
        let first = self.done.clone();
        let rest =
            stream::try_unfold(
                self,
                |mut state| async move { Ok(state.next().await?.map(|response| (response, state))) },
            );
        futures_util::StreamExt::chain(stream::iter([Ok(first)]), rest)
    }

    async fn next(&mut self) -> Result<Option<pb::VerifyRecordingsResponse>, Refusal> {
        loop {
            if self.waiting.is_empty() {
                let batch = self.store.verifiable(self.camera, self.range.as_ref(), self.after, BATCH).await?;
                self.waiting.extend(batch);
            }
            let Some(id) = self.waiting.pop_front() else { return Ok(None) };
            self.after = id;
            if let Some(verified) = self.recorder.verify(id).await? {
                self.done.segments += 1;
                self.done.bytes += verified.segment.size_bytes;
                self.done.not_verifiable += u64::from(verified.not_verifiable > 0);
                self.done.damaged = verified.finding().into_iter().collect();
                return Ok(Some(self.done.clone()));
            }
        }
    }
}
