// Temperatures that a playlist tells of the time it plays. Pure.

/** A value of a sensor, read at a moment. */
export interface Note {
  sensor: string;
  at: number;
  celsius: number;
}

/** What a date range of a playlist says, as far as it is known here. */
export interface DateRange {
  attr: Record<string, unknown>;
  startDate: Date;
}

/** One a minute is told: what is older than some of them says nothing of now. */
const OLD_MS = 5 * 60_000;

/** The temperatures in a playlist, in the order of time. */
export function notesOf(ranges: Iterable<DateRange>): Note[] {
  const notes: Note[] = [];
  for (const { attr, startDate } of ranges) {
    const [value, sensor] = [attr['X-TEMP-C'], attr['X-SENSOR']];
    const celsius = typeof value === 'string' && value !== '' ? Number(value) : NaN;
    const at = startDate.getTime();
    if (typeof sensor !== 'string' || Number.isNaN(celsius) || Number.isNaN(at)) continue;
    notes.push({ sensor, at, celsius });
  }
  return notes.sort((one, other) => one.at - other.at);
}

/** The newest value of each sensor at a moment, by name. */
export function notesAt(notes: readonly Note[], wall: number): Note[] {
  const newest = new Map<string, Note>();
  for (const note of notes) {
    if (note.at > wall) break;
    if (wall - note.at <= OLD_MS) newest.set(note.sensor, note);
  }
  return [...newest.values()].sort((one, other) => (one.sensor < other.sensor ? -1 : 1));
}
