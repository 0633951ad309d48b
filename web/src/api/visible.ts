import { wait } from './backoff';

// Streams are held only while somebody looks: a browser allows six connections to one plain HTTP host,
// over all its tabs, so a forgotten tab must not keep any.

/** Calls `start` whenever the page is shown and aborts its signal when it is hidden. Returns the end of it all. */
export function whileVisible(start: (signal: AbortSignal) => void): () => void {
  let abort: AbortController | null = null;
  const follow = () => {
    if (document.visibilityState === 'hidden') {
      abort?.abort();
      abort = null;
    } else if (!abort) {
      abort = new AbortController();
      start(abort.signal);
    }
  };
  document.addEventListener('visibilitychange', follow);
  follow();
  return () => {
    document.removeEventListener('visibilitychange', follow);
    abort?.abort();
  };
}

/** Calls `task` at once and then again and again, with a pause after each, while the page is shown. */
export function repeatWhileVisible(
  pauseMs: number,
  task: (signal: AbortSignal) => Promise<void>,
): () => void {
  return whileVisible((signal) => {
    void (async () => {
      while (!signal.aborted) {
        await task(signal);
        await wait(pauseMs, signal);
      }
    })();
  });
}
