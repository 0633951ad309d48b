import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { CameraSchema } from '../../gen/larder/v1/cameras_pb';
import { isForeign, pushPort, sourceOf, sourceWords, SOURCES } from './source';

test('a camera is foreign unless it dials the hub, and says where its pictures come from', () => {
  const of = (kind?: 'link' | 'mjpeg' | 'websocket') =>
    create(CameraSchema, kind ? { source: sourceOf(kind, ' http://esp:81/stream ') } : {});
  expect([of(), ...SOURCES.map(({ value }) => of(value))].map(isForeign)).toEqual([false, false, true, true]);
  expect(sourceWords(of())).toBe('');
  expect(sourceWords(of('mjpeg'))).toBe('Fetched from http://esp:81/stream.');
  expect(sourceWords(of('websocket'))).toBe('Pushed over WebSocket, to a secret path.');
});

test('addresses and a login are told, the login itself never', () => {
  const pushed = create(CameraSchema, {
    source: { kind: { case: 'websocket', value: { addresses: ['10.0.0.1', 'fe80::1'] } } },
  });
  expect(sourceWords(pushed)).toContain('from 10.0.0.1, fe80::1');
  const pulled = create(CameraSchema, {
    source: { kind: { case: 'mjpeg', value: { url: 'http://esp/', hasLogin: true } } },
  });
  expect(sourceWords(pulled)).toBe('Fetched from http://esp/, with a user and password.');
});

test('boards are told the port at which the hub listens for them, if it does', () => {
  const http = { name: 'http', address: '[::]:8080' };
  expect(pushPort([http])).toBeNull();
  expect(pushPort([http, { name: 'boards_websocket', address: '[::]:8899' }])).toBe(8899);
  expect(pushPort([{ name: 'boards_websocket', address: '10.0.0.1:8888' }])).toBe(8888);
});
