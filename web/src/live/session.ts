import { viewers } from '../api/client';
import { hello, Messages, MOST_FRAME, parseStream, ping, RELAY_CLOSE, report, wish } from './relay';
import type { HubMessage, Wish } from './relay';
import { CLOSE, type LiveFrame } from './wire';

/** What a session needs of the one who watches. */
export interface Watch {
  camera: string;
  /** What is wanted now; asked again and again. */
  wish: () => Wish;
  take: (frame: LiveFrame) => Promise<boolean>;
  status: (status: Extract<HubMessage, { kind: 'status' }>) => void;
}

/** From the first step to the welcome. Where UDP is blocked nothing answers at all. */
const HANDSHAKE_MS = 3000;
const PING_MS = 2000;
/** Nothing came for so long, not even an answer to pings: the line is cut for this way, and another may be open. */
const SILENT_MS = 6000;
/** Not told by the hub: the session broke. As WebSocket has it (RFC 6455, section 7.4.1). */
const BROKEN = 1006;
const CLIENT = 'page';

/** Pictures over WebTransport until aborted. Resolves with a close code of `CLOSE`, or another when it broke. */
export async function overWebTransport(watch: Watch, signal: AbortSignal): Promise<number> {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener('abort', stop);
  let timer = setTimeout(stop, HANDSHAKE_MS);
  try {
    if (signal.aborted) return BROKEN;
    const pass = await viewers.createPass({ camera: watch.camera }, { signal: own.signal });
    const hashes = pass.certificateHashes.map((value) => ({ algorithm: 'sha-256', value: value.slice() }));
    const transport = new WebTransport(
      `https://${location.hostname}:${pass.port}/live?pass=${encodeURIComponent(pass.pass)}`,
      // Without one the hub has a certificate that the browser trusts by itself.
      hashes.length > 0 ? { serverCertificateHashes: hashes } : {},
    );
    // `ready` and `closed` fail together; each failure is heard.
    transport.ready.catch(() => {});
    const ended = transport.closed.then(
      ({ closeCode }) => code(closeCode),
      () => BROKEN,
    );
    own.signal.addEventListener('abort', () => transport.close());
    if (own.signal.aborted) transport.close();
    await transport.ready;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(stop, SILENT_MS);
    };
    const broken = run(transport, watch, heard, own.signal).then(
      () => BROKEN,
      () => BROKEN,
    );
    // What ends the work is mostly the session's end, which knows more.
    const first = await Promise.race([ended, broken]);
    if (first !== BROKEN) return first;
    own.abort();
    return await ended;
  } catch {
    return BROKEN;
  } finally {
    clearTimeout(timer);
    own.abort();
    signal.removeEventListener('abort', stop);
  }
}

function code(closeCode: number | undefined): number {
  switch (closeCode) {
    case RELAY_CLOSE.cameraRemoved:
      return CLOSE.cameraRemoved;
    case RELAY_CLOSE.revoked:
      return CLOSE.revoked;
    case RELAY_CLOSE.disconnected:
      return CLOSE.disconnected;
    default:
      return BROKEN;
  }
}

async function run(transport: WebTransport, watch: Watch, heard: () => void, signal: AbortSignal) {
  const control = await transport.createBidirectionalStream();
  const writer = control.writable.getWriter();
  let wanted = watch.wish();
  const counts = { shown: 0, passedOver: 0 };
  await writer.write(hello(watch.camera, wanted, CLIENT));
  const timer = setInterval(() => {
    const now = watch.wish();
    const changed = now.width !== wanted.width || now.height !== wanted.height || now.fps !== wanted.fps;
    wanted = now;
    const messages = [report(counts.shown, counts.passedOver), ping(), ...(changed ? [wish(now)] : [])];
    // A session that is over is noticed elsewhere.
    for (const message of messages) writer.write(message).catch(() => {});
  }, PING_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
  try {
    await Promise.all([
      hear(control.readable, watch, heard),
      frames(transport, async (frame) => {
        heard();
        if (await watch.take(frame)) counts.shown += 1;
        else counts.passedOver += 1;
      }),
    ]);
  } finally {
    clearInterval(timer);
  }
}

async function hear(readable: ReadableStream<Uint8Array>, watch: Watch, heard: () => void) {
  const messages = new Messages();
  const reader = readable.getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    for (const message of messages.push(value)) {
      if (message.kind === 'status') watch.status(message);
    }
  }
}

async function frames(transport: WebTransport, take: (frame: LiveFrame) => Promise<void>) {
  const streams = (
    transport.incomingUnidirectionalStreams as ReadableStream<ReadableStream<Uint8Array>>
  ).getReader();
  for (;;) {
    const { value, done } = await streams.read();
    if (done) return;
    // Frames that the hub gave up end with an error, and are told as skipped by the next.
    whole(value)
      .then((bytes) => take(parseStream(bytes)))
      .catch(() => {});
  }
}

async function whole(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MOST_FRAME) {
      void reader.cancel().catch(() => {});
      throw new Error(`a frame of more than ${MOST_FRAME} bytes`);
    }
    chunks.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
