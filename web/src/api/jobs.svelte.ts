import type { Job } from '../gen/larder/v1/jobs_pb';
import { pauseBefore, wait } from './backoff';
import { jobs as service } from './client';
import { completed, isFinished, noted } from './jobs';

/** What the hub does by itself, as long as somebody looks: what goes on, and what ended. */
export class JobBook {
  all = $state.raw<Job[]>([]);
  readonly unfinished = $derived(this.all.filter((job) => !isFinished(job)));

  /** Follows until the signal says so. */
  async follow(signal: AbortSignal) {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        // Read beside the watch, so that no end is missed between the two.
        let watched: Job[] = [];
        const read = service.listJobs({ pageSize: 50 }, { signal }).then(({ jobs }) => {
          this.all = completed(watched, jobs);
        });
        const watch = async () => {
          for await (const job of service.watchJobs({}, { signal })) {
            watched = noted(watched, job);
            this.note(job);
            attempt = 0;
          }
        };
        await Promise.all([read, watch()]);
      } catch {
        // The page's own notice says when the hub is away.
      }
      await wait(pauseBefore(attempt), signal);
    }
  }

  /** A job as it is now. */
  note(job: Job) {
    this.all = noted(this.all, job);
  }
}
