import { acknowledgement, parseFrame, type LiveFrame } from './wire';

/** Pictures over WebSocket until aborted. Each frame is answered when `take` is done. Resolves with the close code. */
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
    socket.onmessage = ({ data }) => {
      const frame = parseFrame(data as ArrayBuffer);
      // The answer is what lets the hub send another.
      void take(frame).then(() => {
        if (socket.readyState === WebSocket.OPEN) socket.send(acknowledgement(frame.sequence));
      });
    };
    socket.onclose = ({ code }) => {
      signal.removeEventListener('abort', stop);
      resolve(code);
    };
  });
}
