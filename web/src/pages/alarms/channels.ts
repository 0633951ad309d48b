// A channel as a form holds it, and in words. Pure.

import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AlarmChannel, AlarmChannelSchema } from '../../gen/larder/v1/alarms_pb';

/** How a channel tells: also the field of the hub's message. */
export type Kind = NonNullable<AlarmChannel['target']['case']>;

export const KINDS: readonly { value: Kind; text: string }[] = [
  { value: 'ntfy', text: 'ntfy' },
  { value: 'email', text: 'E-mail' },
  { value: 'webhook', text: 'Webhook' },
  { value: 'mqtt', text: 'MQTT' },
];

/** What a person fills in. A secret left empty stays as it was. */
export interface Form {
  name: string;
  kind: Kind;
  url: string;
  secret: string;
  server: string;
  from: string;
  /** Addresses with commas or spaces between them. */
  to: string;
  topic: string;
}

export const EMPTY: Form = {
  name: '',
  kind: 'ntfy',
  url: '',
  secret: '',
  server: '',
  from: '',
  to: '',
  topic: 'larder/alarms',
};

/** A channel as a form. */
export function formOf({ name, target }: AlarmChannel): Form {
  const form = { ...EMPTY, name, kind: target.case ?? 'ntfy' };
  if (target.case === 'webhook' || target.case === 'ntfy') form.url = target.value.url;
  if (target.case === 'mqtt') form.topic = target.value.topic;
  if (target.case === 'email') {
    const { server, from, to } = target.value;
    return { ...form, server, from, to: to.join(', ') };
  }
  return form;
}

/** What a form says, for the hub. */
export function channelOf(form: Form): MessageInitShape<typeof AlarmChannelSchema> {
  return { name: form.name, target: targetOf(form) };
}

function targetOf(form: Form): NonNullable<MessageInitShape<typeof AlarmChannelSchema>['target']> {
  const { kind, url, secret, server, from, topic } = form;
  switch (kind) {
    case 'webhook':
      return { case: kind, value: { url, secret } };
    case 'ntfy':
      return { case: kind, value: { url, token: secret } };
    case 'email':
      return {
        case: kind,
        value: { server, from, password: secret, to: form.to.split(/[\s,;]+/).filter(Boolean) },
      };
    case 'mqtt':
      return { case: kind, value: { topic } };
  }
}

/** Where a channel leads, in words. */
export function targetWords({ target }: AlarmChannel): string {
  switch (target.case) {
    case 'webhook':
      return `Webhook ${target.value.url}`;
    case 'ntfy':
      return `ntfy ${target.value.url}`;
    case 'email':
      return `E-mail to ${target.value.to.join(', ')}`;
    case 'mqtt':
      return `MQTT topic ${target.value.topic}`;
    default:
      return 'A way that this page does not know';
  }
}
