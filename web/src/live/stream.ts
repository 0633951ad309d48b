import { pauseBefore, wait } from '../api/backoff';
import { acknowledgement, CLOSE, parseFrame, type LiveFrame } from './wire';

/** What a live stream tells the one that shows it. */
export interface LiveEvents {
  /** A frame came from the network; it may yet be passed over. */
  received(frame: LiveFrame): void;
  /** Shows a picture. The bitmap is closed afterwards. */
  show(picture: ImageBitmap, frame: LiveFrame): void;
  /** A frame was passed over: a newer one came before it could be shown, or it could not be read. */
  passedOver(frame: LiveFrame): void;
  /** A connection ended, with the close code. */
  ended(code: number): void;
}

/** A connection that stood this long was a good one: the next pause is a short one again. */
const GOOD_MS = 10_000;

/**
 * Follows a camera until aborted, connecting again with back-off.
 *
 * Frames wait nowhere: while one is decoded the next may come, and of those that came only the newest is shown.
 * Each is acknowledged when it is shown or passed over, which is what lets the hub send another.
 */
export async function followLive(camera: string, events: LiveEvents, signal: AbortSignal) {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    const began = performance.now();
    const code = await connection(camera, events, signal);
    if (signal.aborted) return;
    events.ended(code);
    if (code === CLOSE.cameraRemoved || code === CLOSE.revoked || code === CLOSE.disconnected) return;
    if (performance.now() - began > GOOD_MS) attempt = 0;
    await wait(pauseBefore(attempt), signal);
  }
}

function connection(camera: string, events: LiveEvents, signal: AbortSignal): Promise<number> {
  const url = new URL(`/cameras/${encodeURIComponent(camera)}/live`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';

  let newest: LiveFrame | null = null;
  let showing = false;
  const answer = (frame: LiveFrame) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(acknowledgement(frame.sequence));
  };
  const showAll = async () => {
    showing = true;
    while (newest && !signal.aborted) {
      const frame: LiveFrame = newest;
      newest = null;
      await showOne(frame, events, signal);
      answer(frame);
    }
    showing = false;
  };

  return new Promise((resolve) => {
    const stop = () => socket.close();
    signal.addEventListener('abort', stop);
    socket.onmessage = ({ data }) => {
      const frame = parseFrame(data as ArrayBuffer);
      events.received(frame);
      if (newest) {
        events.passedOver(newest);
        answer(newest);
      }
      newest = frame;
      if (!showing) void showAll();
    };
    socket.onclose = ({ code }) => {
      signal.removeEventListener('abort', stop);
      resolve(code);
    };
  });
}

async function showOne(frame: LiveFrame, events: LiveEvents, signal: AbortSignal) {
  let picture: ImageBitmap;
  try {
    picture = await createImageBitmap(new Blob([frame.jpeg], { type: 'image/jpeg' }));
  } catch {
    // A picture the browser cannot read is no reason to end: the next one may be whole.
    events.passedOver(frame);
    return;
  }
  // Who looked may have gone while it was decoded.
  if (!signal.aborted) events.show(picture, frame);
  picture.close();
}
