import { Code, ConnectError } from '@connectrpc/connect';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { recordings } from '../../api/client';
import { problem } from '../../api/problem';
import { toasts } from '../../ui/toasts.svelte';
import { clockTime } from '../../ui/words';

const AROUND_MS = 30_000;

/** Keeps the minute around a moment from being deleted, with an Undo. */
export async function pinAround(camera: string, at: number, changed: () => void) {
  // A frame's time has fractions of a millisecond, which a timestamp made of milliseconds does not take.
  const whole = Math.round(at);
  const range = { from: timestampFromMs(whole - AROUND_MS), to: timestampFromMs(whole + AROUND_MS) };
  try {
    const pin = await recordings.pinRange({ camera, range });
    changed();
    toasts.say(`The minute around ${clockTime(at)} is kept`, () => void unpin(pin.id, changed));
  } catch (error) {
    toasts.alarm(problem(error));
  }
}

/** Takes a pin away. */
export async function unpin(id: string, changed: () => void) {
  try {
    await recordings.unpin({ id });
  } catch (error) {
    // Taken away already is as good.
    if (ConnectError.from(error).code !== Code.NotFound) return toasts.alarm(problem(error));
  }
  changed();
}
