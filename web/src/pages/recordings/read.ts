import { timestampFromMs, timestampMs, type Timestamp } from '@bufbuild/protobuf/wkt';
import { recordings } from '../../api/client';
import type { Day, Undated } from './strip';

/** What is known of a camera in a range; what still goes on ends now. */
export async function readTimeline(
  camera: string,
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<Day> {
  const range = { from: timestampFromMs(from), to: timestampFromMs(to) };
  const timeline = await recordings.getTimeline({ camera, range }, { signal });
  const end = Math.min(to, Date.now());
  const ms = (at: Timestamp | undefined, missing: number) => (at ? timestampMs(at) : missing);
  return {
    spans: timeline.spans.map((span) => ({ from: ms(span.startedAt, from), to: ms(span.endedAt, end) })),
    gaps: timeline.gaps.map((gap) => ({
      from: ms(gap.startedAt, from),
      to: ms(gap.endedAt, end),
      reason: gap.reason,
    })),
    pins: timeline.pins.map((pin) => ({
      from: ms(pin.range?.from, from),
      to: ms(pin.range?.to, to),
      id: pin.id,
      note: pin.note,
    })),
    sizeBytes: timeline.spans.reduce((sum, span) => sum + Number(span.sizeBytes), 0),
  };
}

/** What was made in a range by a clock that was not set. */
export async function readUndated(
  camera: string,
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<Undated[]> {
  const range = { from: timestampFromMs(from), to: timestampFromMs(to) };
  const listed = await recordings.listRecordings({ camera, range, pageSize: 1000 }, { signal });
  return listed.recordings
    .filter((recording) => recording.dateUnknown)
    .map(({ id, startedAt, endedAt, sizeBytes }) => ({
      id,
      lengthMs: startedAt && endedAt ? timestampMs(endedAt) - timestampMs(startedAt) : 0,
      sizeBytes: Number(sizeBytes),
    }));
}
