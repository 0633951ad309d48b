import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { JobSchema, JobState, type Job } from '../gen/larder/v1/jobs_pb';
import { completed, noted, shown } from './jobs';

const job = (id: number, state: JobState) => create(JobSchema, { id: String(id).padStart(4, '0'), state });
const all = (...jobs: Job[]) => jobs.reduce<Job[]>(noted, []);

test('a job is known once, as it is now, the newest first', () => {
  const jobs = all(job(1, JobState.WAITING), job(2, JobState.RUNNING), job(1, JobState.RUNNING));
  expect(jobs.map(({ id, state }) => [id, state])).toEqual([
    ['0002', JobState.RUNNING],
    ['0001', JobState.RUNNING],
  ]);
});

test('what was watched is newer than what was read beside it', () => {
  const watched = all(job(1, JobState.SUCCEEDED));
  const jobs = completed(watched, [job(2, JobState.FAILED), job(1, JobState.RUNNING)]);
  expect(jobs.map(({ id, state }) => [Number(id), state])).toEqual([
    [2, JobState.FAILED],
    [1, JobState.SUCCEEDED],
  ]);
});

test('all that goes on is shown, and the last few that ended', () => {
  const ended = [1, 2, 3, 4, 5, 6, 7, 8].map((id) => job(id, JobState.SUCCEEDED));
  const jobs = all(job(0, JobState.WAITING), ...ended, job(9, JobState.CANCELLED));
  expect(shown(jobs).map(({ id }) => Number(id))).toEqual([9, 8, 7, 6, 5, 0]);
});
