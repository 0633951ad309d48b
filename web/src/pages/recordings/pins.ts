import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { recordings } from '../../api/client';
import { problem } from '../../api/problem';
import { toasts } from '../../ui/toasts.svelte';
import { clockTime } from '../../ui/words';

const AROUND_MS = 30_000;

/** Keeps the minute around a moment from being deleted, with an Undo. */
export async function pinAround(camera: string, at: number, changed: () => void) {
  const range = { from: timestampFromMs(at - AROUND_MS), to: timestampFromMs(at + AROUND_MS) };
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
    changed();
  } catch (error) {
    toasts.alarm(problem(error));
  }
}
