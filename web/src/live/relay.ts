// larder/1, as in proto/WIRE.md: messages of the control stream and what stands before a frame. Pure.

import type { LiveFrame } from './wire';

/** The most that is wanted; undefined where there is no limit. */
export interface Wish {
  fps?: number | undefined;
  width?: number | undefined;
  height?: number | undefined;
}

/** What holds the rate or the size down. */
export type LimitedBy = 'nothing' | 'wish' | 'line';

/** What the hub says. */
export type HubMessage =
  | { kind: 'welcome'; name: string }
  | { kind: 'status'; delivered: number; skipped: number; window: number; limits: Wish; limitedBy: LimitedBy }
  | { kind: 'pong' };

/** Why the hub ends a session, of those that a page acts on. */
export const RELAY_CLOSE = { cameraRemoved: 5, revoked: 6, disconnected: 7 } as const;
/** Most bytes of a frame, with its header. */
export const MOST_FRAME = 40 + 1024 * 1024;

const VERSION = 1;
const HELLO = 1;
const WISH = 2;
const REPORT = 3;
const PING = 4;
const WELCOME = 32;
const STATUS = 33;
const PONG = 34;
const OPTIONAL = 0x80;
const HEAD = 3;
const MOST_PAYLOAD = 1024;
const FRAME_HEADER = 40;
const NO_AGE = 0xffff_ffff;
const LIMITED_BY: readonly LimitedBy[] = ['nothing', 'wish', 'line'];

/** The first message. The secret is in the session's address. */
export function hello(camera: string, wish: Wish, client: string): Uint8Array<ArrayBuffer> {
  return message(HELLO, [
    VERSION,
    VERSION,
    ...wishBytes(wish),
    ...text(camera),
    ...text(client),
    ...text(''),
  ]);
}

/** Something else is wanted from now on. */
export function wish(wanted: Wish): Uint8Array<ArrayBuffer> {
  return message(WISH, wishBytes(wanted));
}

/** How many frames were shown, and how many passed over. */
export function report(shown: number, passedOver: number): Uint8Array<ArrayBuffer> {
  const bytes = new DataView(new ArrayBuffer(20));
  bytes.setBigUint64(0, BigInt(shown));
  bytes.setBigUint64(8, BigInt(passedOver));
  bytes.setUint32(16, NO_AGE);
  return message(REPORT, [...new Uint8Array(bytes.buffer)]);
}

/** To be answered by a pong. */
export function ping(): Uint8Array<ArrayBuffer> {
  return message(PING, new Array<number>(8).fill(0));
}

function message(kind: number, payload: number[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([kind, payload.length >> 8, payload.length & 0xff, ...payload]);
}

function wishBytes({ fps, width, height }: Wish): number[] {
  const tenths = fps === undefined ? 0 : Math.max(1, Math.round(fps * 10));
  return [tenths, width ?? 0, height ?? 0].flatMap((value) => {
    const bounded = Math.min(0xffff, Math.max(0, Math.round(value)));
    return [bounded >> 8, bounded & 0xff];
  });
}

function text(value: string): number[] {
  const bytes = [...new TextEncoder().encode(value)].slice(0, 0xff);
  return [bytes.length, ...bytes];
}

/** Takes messages out of the control stream, however it is cut. Throws on what can't be read on. */
export class Messages {
  #rest = new Uint8Array(0);

  push(chunk: Uint8Array): HubMessage[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const found: HubMessage[] = [];
    let at = 0;
    while (bytes.length - at >= HEAD) {
      const view = new DataView(bytes.buffer, at);
      const [kind, length] = [view.getUint8(0), view.getUint16(1)];
      if (length > MOST_PAYLOAD) throw new Error(`a message of ${length} bytes`);
      if (bytes.length - at < HEAD + length) break;
      const read = parse(kind, new DataView(bytes.buffer, at + HEAD, length));
      if (read) found.push(read);
      at += HEAD + length;
    }
    this.#rest = bytes.slice(at);
    return found;
  }
}

function parse(kind: number, payload: DataView): HubMessage | null {
  switch (kind) {
    case WELCOME: {
      const name = new Uint8Array(payload.buffer, payload.byteOffset + 34, payload.getUint8(33));
      return { kind: 'welcome', name: new TextDecoder().decode(name) };
    }
    case STATUS:
      return {
        kind: 'status',
        limitedBy: LIMITED_BY[payload.getUint8(1)] ?? 'nothing',
        window: payload.getUint8(2),
        limits: {
          fps: some(payload.getUint16(3) / 10),
          width: some(payload.getUint16(5)),
          height: some(payload.getUint16(7)),
        },
        delivered: Number(payload.getBigUint64(9)),
        skipped: Number(payload.getBigUint64(17)),
      };
    case PONG:
      return { kind: 'pong' };
    default:
      if (kind & OPTIONAL) return null;
      throw new Error(`a message of the unknown type ${kind}`);
  }
}

function some(value: number): number | undefined {
  return value > 0 ? value : undefined;
}

/** Reads a whole frame's stream. Throws on a version it does not know, and on one that is not whole. */
export function parseStream(bytes: Uint8Array<ArrayBuffer>): LiveFrame {
  if (bytes.length <= FRAME_HEADER) throw new Error(`a frame of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new Error(`a frame of version ${version}`);
  const length = view.getUint32(36);
  if (bytes.length !== FRAME_HEADER + length)
    throw new Error(`${bytes.length} bytes of a frame of ${length}`);
  return {
    skipped: view.getUint32(4),
    sequence: view.getBigUint64(8),
    capturedAt: Number(view.getBigInt64(16)) / 1000,
    sentAt: Number(view.getBigInt64(24)) / 1000,
    jpeg: bytes.subarray(FRAME_HEADER),
  };
}

/** How often the hub halves a picture's sides. */
const DIVISORS = [8, 4, 2];

/**
 * What to ask for a picture that is shown so wide, in the screen's own pixels: a size the hub makes that is still as
 * large as it is shown. A smaller one that is not half as wide at most would be blurred for little.
 */
export function wishFor(cameraWidth: number, shown: number, thumbnail: boolean): Wish {
  const divisor = DIVISORS.find((by) => shown > 0 && Math.ceil(cameraWidth / by) >= shown);
  return {
    fps: thumbnail ? 10 : undefined,
    width: divisor === undefined ? undefined : Math.ceil(cameraWidth / divisor),
  };
}
