// Where a camera's pictures come from, as a form speaks of it. Pure.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Camera, CameraSourceSchema } from '../../gen/larder/v1/cameras_pb';

export type Source = 'link' | 'mjpeg' | 'websocket';

export const SOURCES = [
  { value: 'link', text: 'Sent by Larder’s firmware' },
  { value: 'mjpeg', text: 'Fetched over HTTP' },
  { value: 'websocket', text: 'Pushed over WebSocket' },
] as const;

/** Whether it is a board with firmware of another make: it takes no commands and no settings of its pictures. */
export function isForeign(camera: Camera): boolean {
  const kind = camera.source?.kind.case;
  return kind === 'mjpeg' || kind === 'websocket';
}

/** What a new camera is told of its source; `url` counts only where pictures are fetched. */
export function sourceOf(source: Source, url: string): MessageInitShape<typeof CameraSourceSchema> {
  if (source === 'mjpeg') return { kind: { case: 'mjpeg', value: { url: url.trim() } } };
  if (source === 'websocket') return { kind: { case: 'websocket', value: {} } };
  return { kind: { case: 'cameraLink', value: {} } };
}

/** A source in a line; nothing for a camera that dials the hub, as most do. */
export function sourceWords(camera: Camera): string {
  const kind = camera.source?.kind;
  if (kind?.case === 'mjpeg') {
    return `Fetched from ${kind.value.url}${kind.value.hasLogin ? ', with a user and password' : ''}.`;
  }
  if (kind?.case !== 'websocket') return '';
  const { addresses } = kind.value;
  return addresses.length > 0
    ? `Pushed over WebSocket from ${addresses.join(', ')}, or to a secret path.`
    : 'Pushed over WebSocket, to a secret path.';
}

/** The port at which the hub listens for boards that push; null: it does not. */
export function pushPort(listeners: { name: string; address: string }[]): number | null {
  const found = listeners.find(({ name }) => name === 'boards_websocket');
  return found ? Number(found.address.slice(found.address.lastIndexOf(':') + 1)) : null;
}
