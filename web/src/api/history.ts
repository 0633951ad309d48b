// A camera's recent past, as its status told it. Pure.

import { durationMs } from '@bufbuild/protobuf/wkt';
import type { CameraStatus } from '../gen/larder/v1/cameras_pb';

/** One moment of a camera; a figure that was not told is null. */
export interface Sample {
  at: number;
  fps: number;
  bytesPerSecond: number;
  refused: number;
  heapFree: number | null;
  rssi: number | null;
  chipCelsius: number | null;
  roundTripMs: number | null;
}

/** Ten minutes, one a second. */
const LONGEST = 600;

/** All refused frames, whatever the reason. */
export function refusedTotal(status: CameraStatus): number {
  return Object.values(status.framesRefused).reduce((sum, n) => sum + Number(n), 0);
}

/** What is kept of a status. */
export function sampleOf(at: number, status: CameraStatus): Sample {
  const told = status.telemetry;
  return {
    at,
    fps: status.fps,
    bytesPerSecond: status.bytesPerSecond,
    refused: refusedTotal(status),
    heapFree: told ? told.heapFreeBytes : null,
    rssi: told ? told.rssiDbm : null,
    chipCelsius: told?.chipCelsius ?? null,
    roundTripMs: status.roundTrip ? durationMs(status.roundTrip) : null,
  };
}

/** The past with one more moment, and without what is too old. */
export function extended(past: readonly Sample[], sample: Sample): Sample[] {
  return [...past.slice(-(LONGEST - 1)), sample];
}
