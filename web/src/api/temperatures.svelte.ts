import type { Reading, Sensor } from '../gen/larder/v1/temperatures_pb';
import { pauseBefore, wait } from './backoff';
import { temperatures as service } from './client';
import { isAbort, problem } from './problem';
import { repeatWhileVisible, whileVisible } from './visible';

/** The list is read again this often, which also tells of newest values while no stream does. */
const LIST_AGAIN_MS = 15_000;

/** Every sensor with its newest reading. */
class SensorBook {
  list = $state.raw<Sensor[]>([]);
  latest = $state.raw<ReadonlyMap<string, Reading>>(new Map());
  /** Whether the list came at least once. */
  loaded = $state(false);
  /** Why it is not fresh now; empty when it is. */
  error = $state('');
  /** Counts what was heard: who draws a graph draws it anew. */
  heard = $state(0);
  /** Whether readings come by themselves; else they are asked for. */
  streaming = $state(false);

  /** Reads the list again and again until the returned function is called. */
  follow(): () => void {
    return repeatWhileVisible(LIST_AGAIN_MS, async (signal) => {
      try {
        await this.reload(signal);
      } catch (error) {
        if (!signal.aborted) this.error = problem(error);
      }
    });
  }

  /** Hears each reading as it comes. One page at a time does so: a browser has few connections to one host. */
  hear(): () => void {
    return whileVisible((signal) => void this.#hear(signal));
  }

  find(idOrName: string): Sensor | undefined {
    return this.list.find((sensor) => sensor.name === idOrName || sensor.id === idOrName);
  }

  /** Puts in a sensor as the hub just returned it. */
  put(sensor: Sensor) {
    const others = this.list.filter((other) => other.id !== sensor.id);
    this.list = [...others, sensor].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  remove(id: string) {
    this.list = this.list.filter((sensor) => sensor.id !== id);
  }

  async reload(signal?: AbortSignal) {
    const all: Sensor[] = [];
    let pageToken = '';
    do {
      const page = await service.listSensors({ pageSize: 1000, pageToken }, { signal });
      all.push(...page.sensors);
      pageToken = page.nextPageToken;
    } while (pageToken);
    this.list = all;
    for (const sensor of all) if (sensor.latest) this.#take(sensor.latest);
    this.loaded = true;
    this.error = '';
  }

  async #hear(signal: AbortSignal) {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        for await (const reading of service.watchReadings({}, { signal })) {
          attempt = 0;
          this.streaming = true;
          this.#take(reading);
        }
      } catch (error) {
        if (signal.aborted || isAbort(error)) return;
      } finally {
        // The list goes on telling of newest values.
        this.streaming = false;
      }
      await wait(pauseBefore(attempt), signal);
    }
  }

  #take(reading: Reading) {
    const known = this.latest.get(reading.sensorId);
    if (known && seconds(known) >= seconds(reading)) return;
    this.latest = new Map(this.latest).set(reading.sensorId, reading);
    this.heard += 1;
  }
}

function seconds(reading: Reading): number {
  return Number(reading.capturedAt?.seconds ?? 0n) + (reading.capturedAt?.nanos ?? 0) / 1e9;
}

export const sensors = new SensorBook();

/** What people call a sensor. */
export function sensorTitle(sensor: Sensor): string {
  return sensor.title || sensor.name;
}
