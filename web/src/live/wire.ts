// The live WebSocket: one binary message a frame; those that ask for it are answered by one of 8 bytes. Big-endian.

/** A frame as it came. */
export interface LiveFrame {
  sequence: bigint;
  /** Frames the hub skipped just before this one because this viewer was not ready. */
  skipped: number;
  /** Milliseconds since 1970 on the hub's clock. */
  capturedAt: number;
  sentAt: number;
  jpeg: Uint8Array<ArrayBuffer>;
}

/** A frame of the live WebSocket. */
export interface SocketFrame extends LiveFrame {
  /** Whether the hub waits to hear that it, and all before it, were shown or passed over. */
  asks: boolean;
}

/** Why the hub ends a live connection. */
export const CLOSE = {
  hubStops: 1001,
  tooSlow: 4001,
  revoked: 4003,
  cameraRemoved: 4004,
  disconnected: 4005,
} as const;

const VERSION = 1;
const HEADER_BYTES = 32;
const ACKNOWLEDGE = 1;

/** Reads one message. Throws on a version it does not know. */
export function parseFrame(message: ArrayBuffer): SocketFrame {
  if (message.byteLength <= HEADER_BYTES) throw new Error(`live message of ${message.byteLength} bytes`);
  const view = new DataView(message);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new Error(`live message of version ${version}`);
  return {
    asks: (view.getUint8(1) & ACKNOWLEDGE) !== 0,
    skipped: view.getUint32(4),
    sequence: view.getBigUint64(8),
    capturedAt: Number(view.getBigInt64(16)) / 1000,
    sentAt: Number(view.getBigInt64(24)) / 1000,
    jpeg: new Uint8Array(message, HEADER_BYTES),
  };
}

/** The answer: this frame and all before it were shown, or passed over for a newer one. */
export function acknowledgement(sequence: bigint): ArrayBuffer {
  const message = new ArrayBuffer(8);
  new DataView(message).setBigUint64(0, sequence);
  return message;
}
