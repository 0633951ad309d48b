import type { Job } from '../gen/larder/v1/jobs_pb';
import { pauseBefore, wait } from './backoff';
import { jobs as service } from './client';
import { isFinished, noted } from './jobs';

/** What the hub does by itself, as long as somebody looks: what goes on, and what ended. */
export class JobBook {
  all = $state.raw<Job[]>([]);
  readonly unfinished = $derived(this.all.filter((job) => !isFinished(job)));

  /** Follows until the signal says so. */
  async follow(signal: AbortSignal) {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        this.all = (await service.listJobs({ pageSize: 50 }, { signal })).jobs;
        for await (const job of service.watchJobs({}, { signal })) {
          this.note(job);
          attempt = 0;
        }
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
