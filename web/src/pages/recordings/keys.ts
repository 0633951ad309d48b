import type { Playback } from './playback.svelte';
import { edgeAfter, edgeBefore, type Stretch } from './strip';

/** What the keys of a day act on. */
export interface DayKeys {
  playback: Pick<Playback, 'wall' | 'toggle' | 'step' | 'stepFrame'>;
  spans: () => readonly Stretch[];
  fps: () => number;
  seek: (wall: number) => void;
  pin: () => void;
}

/** The keys of a day: what each does is written below the picture. */
export function dayKeys({ playback, spans, fps, seek, pin }: DayKeys) {
  const edge = (at: number | null) => {
    if (at !== null) seek(at);
  };
  const actions: Record<string, (shift: boolean) => void> = {
    ' ': () => void playback.toggle(),
    ArrowLeft: (shift) => void playback.step(shift ? -60_000 : -5000),
    ArrowRight: (shift) => void playback.step(shift ? 60_000 : 5000),
    ',': () => playback.stepFrame(-1, fps()),
    '.': () => playback.stepFrame(1, fps()),
    '[': () => edge(edgeBefore(spans(), playback.wall)),
    ']': () => edge(edgeAfter(spans(), playback.wall)),
    p: pin,
  };
  return (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : null;
    // Fields keep their keys, and buttons and links their space bar.
    if (target?.closest('input, select, textarea, dialog')) return;
    if (event.key === ' ' && target?.closest('button, a, summary')) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action(event.shiftKey);
  };
}
