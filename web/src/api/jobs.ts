// What the hub does by itself, as lists. Pure.

import { JobState, type Job } from '../gen/larder/v1/jobs_pb';

/** Finished jobs that stay in sight. */
const FINISHED = 5;
/** Jobs that a page which stays open remembers. */
const KEPT = 500;

/** Whether nothing will change any more. */
export function isFinished(job: Job): boolean {
  return job.state >= JobState.SUCCEEDED;
}

/** The list with a job as it is now. Ids rise with time, so the newest stands first. */
export function noted(all: readonly Job[], job: Job): Job[] {
  const others = all.filter((other) => other.id !== job.id);
  return [job, ...others].sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, KEPT);
}

/** The list with what another read knows besides: what is known here already is newer. */
export function completed(all: readonly Job[], others: readonly Job[]): Job[] {
  const known = new Set(all.map((job) => job.id));
  const unknown = others.filter((job) => !known.has(job.id));
  return [...all, ...unknown].sort((one, other) => (one.id < other.id ? 1 : -1));
}

/** What is shown: all that goes on, and the last few that ended. */
export function shown(all: readonly Job[]): Job[] {
  let finished = 0;
  return all.filter((job) => !isFinished(job) || ++finished <= FINISHED);
}
