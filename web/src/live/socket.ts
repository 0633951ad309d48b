import { acknowledgement, parseFrame, type LiveFrame } from './wire';

/**
 * Pictures over WebSocket until aborted. A frame that asks for it is answered when `take` is done with it and all before
 * it. Resolves with the close code.
 */
export function overSocket(
  camera: string,
  take: (frame: LiveFrame) => Promise<boolean>,
  signal: AbortSignal,
): Promise<number> {
  const url = new URL(`/cameras/${encodeURIComponent(camera)}/live`, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  return new Promise((resolve) => {
    const stop = () => socket.close();
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
    let taken: Promise<unknown> = Promise.resolve();
    socket.onmessage = ({ data }) => {
      const frame = parseFrame(data as ArrayBuffer);
      taken = Promise.all([taken, take(frame)]).then(() => {
        // The answer is what lets the hub send another.
        if (frame.asks && socket.readyState === WebSocket.OPEN) socket.send(acknowledgement(frame.sequence));
      });
    };
    socket.onclose = ({ code }) => {
      signal.removeEventListener('abort', stop);
      resolve(code);
    };
  });
}
