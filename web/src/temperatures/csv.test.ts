import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { ReadingSchema } from '../gen/larder/v1/temperatures_pb';
import { HEADER, row } from './csv';

const capturedAt = timestampFromMs(1_700_000_000_250);

test('a row has its time in UTC and both scales', () => {
  const reading = create(ReadingSchema, { sensorId: 'a', capturedAt, celsius: 4.25 });
  expect(row(reading, () => 'top')).toBe('2023-11-14T22:13:20.250Z,top,4.250,39.65\n');
});

test('a failed probe leaves its values empty, and every row has as many fields as the first line', () => {
  const failed = row(create(ReadingSchema, { sensorId: 'a', capturedAt }), () => 'top');
  expect(failed).toBe('2023-11-14T22:13:20.250Z,top,,\n');
  expect(failed.split(',').length).toBe(HEADER.split(',').length);
});

test('a name with a comma stays one field', () => {
  expect(row(create(ReadingSchema, { sensorId: 'a' }), () => 'a "b", c')).toBe(',"a ""b"", c",,\n');
});
