// Readings as rows of a table for other programs: the same columns as `larderctl temperature export`. Pure.

import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Reading } from '../gen/larder/v1/temperatures_pb';

/** The first line. */
export const HEADER = 'time,sensor,celsius,fahrenheit\n';

/** One reading. Its time is in UTC, so that an hour that comes twice stays in order. */
export function row(reading: Reading, nameOf: (id: string) => string): string {
  const at = reading.capturedAt ? new Date(timestampMs(reading.capturedAt)).toISOString() : '';
  const { celsius } = reading;
  const values = celsius === undefined ? ',' : `${celsius.toFixed(3)},${(celsius * 1.8 + 32).toFixed(2)}`;
  return `${at},${quoted(nameOf(reading.sensorId))},${values}\n`;
}

/** A field as RFC 4180 has it. */
function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
