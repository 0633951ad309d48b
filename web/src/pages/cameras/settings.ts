// What can be asked of a camera, and how a form speaks of it. Pure.

import { RecordingMode, type Camera } from '../../gen/larder/v1/cameras_pb';

/** The OV2640's sizes that the firmware takes. */
export const SIZES = [
  { value: '320x240', text: '320 × 240' },
  { value: '640x480', text: '640 × 480' },
  { value: '800x600', text: '800 × 600' },
  { value: '1024x768', text: '1024 × 768' },
  { value: '1280x1024', text: '1280 × 1024' },
  { value: '1600x1200', text: '1600 × 1200' },
] as const;

export const MODES = [
  { value: RecordingMode.CONTINUOUS, text: 'Always' },
  { value: RecordingMode.MANUAL, text: 'When started' },
  { value: RecordingMode.OFF, text: 'Never' },
] as const;

/** The settings as a form holds them; an empty limit is none. */
export interface Form {
  title: string;
  size: string;
  quality: number;
  activeFps: number;
  idleFps: number;
  mode: RecordingMode;
  maxDays: number | null;
  maxGigabytes: number | null;
}

const DAY_SECONDS = 86_400;
const GIGABYTE = 1_000_000_000;

/** A camera's settings as a form. */
export function formOf(camera: Camera): Form {
  const { capture, recording } = camera;
  return {
    title: camera.title,
    size: `${capture?.size?.width ?? 640}x${capture?.size?.height ?? 480}`,
    quality: capture?.quality ?? 12,
    activeFps: capture?.activeFps ?? 10,
    idleFps: capture?.idleFps ?? 10,
    mode: recording?.mode ?? RecordingMode.CONTINUOUS,
    maxDays: recording?.maxAge ? rounded(Number(recording.maxAge.seconds) / DAY_SECONDS) : null,
    maxGigabytes: recording?.maxBytes ? rounded(Number(recording.maxBytes) / GIGABYTE) : null,
  };
}

/** The change from one form to another: the fields that differ, and their values. Null when none does. */
export function changeOf(id: string, before: Form, after: Form) {
  const paths = (Object.keys(PATHS) as (keyof Form)[])
    .filter((field) => before[field] !== after[field])
    .map((field) => PATHS[field]);
  if (paths.length === 0) return null;
  const [width = 640, height = 480] = after.size.split('x').map(Number);
  return {
    updateMask: { paths },
    camera: {
      id,
      title: after.title,
      capture: {
        size: { width, height },
        quality: after.quality,
        activeFps: after.activeFps,
        idleFps: after.idleFps,
      },
      recording: {
        mode: after.mode,
        ...(after.maxDays ? { maxAge: { seconds: BigInt(Math.round(after.maxDays * DAY_SECONDS)) } } : {}),
        ...(after.maxGigabytes ? { maxBytes: BigInt(Math.round(after.maxGigabytes * GIGABYTE)) } : {}),
      },
    },
  };
}

/** What is said of a camera's recording in one word or two. */
export function recordingWords(mode: RecordingMode | undefined, now: boolean): string {
  if (now) return 'Recording';
  if (mode === RecordingMode.OFF) return 'Off';
  return mode === RecordingMode.MANUAL ? 'Not started' : 'Waiting for pictures';
}

const PATHS: Record<keyof Form, string> = {
  title: 'title',
  size: 'capture.size',
  quality: 'capture.quality',
  activeFps: 'capture.active_fps',
  idleFps: 'capture.idle_fps',
  mode: 'recording.mode',
  maxDays: 'recording.max_age',
  maxGigabytes: 'recording.max_bytes',
};

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
