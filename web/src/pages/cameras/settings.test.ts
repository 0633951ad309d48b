import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { CameraSchema, RecordingMode } from '../../gen/larder/v1/cameras_pb';
import { changeOf, formOf, recordingWords } from './settings';

const camera = create(CameraSchema, {
  id: 'a',
  name: 'fridge',
  title: 'Fridge',
  capture: { size: { width: 800, height: 600 }, quality: 10, activeFps: 12, idleFps: 2 },
  recording: {
    mode: RecordingMode.MANUAL,
    maxAge: { seconds: 1_209_600n },
    maxBytes: 20_500_000_000n,
  },
});

test('a form holds a camera in the units people use', () => {
  expect(formOf(camera)).toEqual({
    title: 'Fridge',
    size: '800x600',
    quality: 10,
    activeFps: 12,
    idleFps: 2,
    mode: RecordingMode.MANUAL,
    maxDays: 14,
    maxGigabytes: 20.5,
  });
});

test('only what differs is sent', () => {
  const form = formOf(camera);
  expect(changeOf('a', form, { ...form })).toBeNull();
  const change = changeOf('a', form, { ...form, size: '640x480', maxDays: 7 });
  expect(change?.updateMask.paths).toEqual(['capture.size', 'recording.max_age']);
  expect(change?.camera.capture.size).toEqual({ width: 640, height: 480 });
  expect(change?.camera.recording.maxAge).toEqual({ seconds: 604_800n });
});

test('a limit left empty is taken away', () => {
  const form = formOf(camera);
  const change = changeOf('a', form, { ...form, maxGigabytes: null });
  expect(change?.updateMask.paths).toEqual(['recording.max_bytes']);
  expect(change?.camera.recording).not.toHaveProperty('maxBytes');
});

test('a camera that is not recorded says why', () => {
  expect(recordingWords(RecordingMode.CONTINUOUS, true)).toBe('Recording');
  expect(recordingWords(RecordingMode.CONTINUOUS, false)).toBe('Waiting for pictures');
  expect(recordingWords(RecordingMode.MANUAL, false)).toBe('Not started');
  expect(recordingWords(RecordingMode.OFF, false)).toBe('Off');
});
