import { Presence, type Camera, type CameraStatus } from '../gen/larder/v1/cameras_pb';
import { pauseBefore, wait } from './backoff';
import { cameras as service } from './client';
import { extended, sampleOf, type Sample } from './history';
import { isAbort, problem } from './problem';
import { whileVisible } from './visible';

/** The list is read again this often, for what the stream does not tell: new titles and removed cameras. */
const LIST_AGAIN_MS = 60_000;

/** Every camera with its present state, kept fresh by one stream for all pages. */
class CameraBook {
  list = $state.raw<Camera[]>([]);
  statuses = $state.raw<ReadonlyMap<string, CameraStatus>>(new Map());
  histories = $state.raw<ReadonlyMap<string, Sample[]>>(new Map());
  /** Whether the list came at least once. */
  loaded = $state(false);
  /** Why it is not fresh now; empty when it is. */
  error = $state('');
  readonly live = $derived([...this.statuses.values()].some((s) => s.presence === Presence.ONLINE));

  #readAt = 0;

  /** Follows the cameras until the returned function is called. */
  follow(): () => void {
    return whileVisible((signal) => void this.#run(signal));
  }

  find(idOrName: string): Camera | undefined {
    return this.list.find((camera) => camera.name === idOrName || camera.id === idOrName);
  }

  /** Puts in a camera as the hub just returned it. */
  put(camera: Camera) {
    const others = this.list.filter((other) => other.id !== camera.id);
    this.list = [...others, camera].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  remove(id: string) {
    this.list = this.list.filter((camera) => camera.id !== id);
  }

  /** Takes out a camera of which the hub said that it was removed. */
  gone(name: string) {
    this.list = this.list.filter((camera) => camera.name !== name);
  }

  async reload(signal?: AbortSignal) {
    const all: Camera[] = [];
    let pageToken = '';
    do {
      const page = await service.listCameras({ pageSize: 1000, pageToken }, { signal });
      all.push(...page.cameras);
      pageToken = page.nextPageToken;
    } while (pageToken);
    this.#readAt = Date.now();
    this.list = all;
    this.statuses = new Map(
      all.flatMap((camera) => (camera.status ? [[camera.id, camera.status] as const] : [])),
    );
    this.loaded = true;
  }

  async #run(signal: AbortSignal) {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        await this.reload(signal);
        this.error = '';
        attempt = 0;
        for await (const status of service.watchCameras({}, { signal })) await this.#heard(status, signal);
      } catch (error) {
        if (signal.aborted || isAbort(error)) return;
        this.error = problem(error);
      }
      await wait(pauseBefore(attempt), signal);
    }
  }

  async #heard(status: CameraStatus, signal: AbortSignal) {
    this.statuses = new Map(this.statuses).set(status.cameraId, status);
    const past = this.histories.get(status.cameraId) ?? [];
    this.histories = new Map(this.histories).set(
      status.cameraId,
      extended(past, sampleOf(Date.now(), status)),
    );
    const known = this.list.some((camera) => camera.id === status.cameraId);
    const stale = Date.now() - this.#readAt > (known ? LIST_AGAIN_MS : 1000);
    if (stale) await this.reload(signal);
  }
}

export const book = new CameraBook();

/** What people call a camera. */
export function titleOf(camera: Camera): string {
  return camera.title || camera.name;
}
