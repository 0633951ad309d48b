import { Code, ConnectError } from '@connectrpc/connect';
import type { Alarm, AlarmRule } from '../gen/larder/v1/alarms_pb';
import { alarms as service } from './client';
import { problem } from './problem';
import { repeatWhileVisible } from './visible';

/** A stream would hold one of the few connections a browser has to a host, on every page. */
const AGAIN_MS = 5000;
const RULES_AGAIN_MS = 30_000;

/** What is wrong now, for every page. */
class AlarmBook {
  raised = $state.raw<Alarm[]>([]);
  rules = $state.raw<AlarmRule[]>([]);
  loaded = $state(false);
  rulesLoaded = $state(false);
  /** Why it is not fresh now; empty when it is. */
  error = $state('');
  /** Whether this hub watches for alarms at all. */
  available = $state(true);
  /** Raised, and nobody said that they know. */
  readonly unseen = $derived(this.raised.filter((alarm) => !alarm.acknowledgedAt));

  /** Follows what is raised until the returned function is called. */
  follow(): () => void {
    return repeatWhileVisible(AGAIN_MS, async (signal) => {
      if (this.available) await this.#noted(signal, () => this.reload(signal));
    });
  }

  /** Follows the rules too. */
  followRules(): () => void {
    return repeatWhileVisible(RULES_AGAIN_MS, async (signal) => {
      if (this.available) await this.#noted(signal, () => this.reloadRules(signal));
    });
  }

  async reload(signal?: AbortSignal) {
    this.raised = (await service.listAlarms({ raisedOnly: true, pageSize: 100 }, { signal })).alarms;
    this.loaded = true;
    this.error = '';
  }

  async reloadRules(signal?: AbortSignal) {
    const all: AlarmRule[] = [];
    let pageToken = '';
    do {
      const page = await service.listAlarmRules({ pageSize: 1000, pageToken }, { signal });
      all.push(...page.rules);
      pageToken = page.nextPageToken;
    } while (pageToken);
    this.rules = all;
    this.rulesLoaded = true;
  }

  /** Tells the hub that somebody knows. */
  async acknowledge(alarm: Alarm) {
    const known = await service.acknowledgeAlarm({ alarm: alarm.id });
    this.raised = this.raised.map((other) => (other.id === known.id ? known : other));
  }

  async #noted(signal: AbortSignal, read: () => Promise<void>) {
    try {
      await read();
    } catch (error) {
      if (signal.aborted) return;
      if (ConnectError.from(error).code === Code.Unimplemented) this.available = false;
      else this.error = problem(error);
    }
  }
}

export const alarmBook = new AlarmBook();
