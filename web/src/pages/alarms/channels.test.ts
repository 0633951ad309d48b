import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { AlarmChannelSchema } from '../../gen/larder/v1/alarms_pb';
import { channelOf, EMPTY, formOf, KINDS, targetWords } from './channels';

const FILLED = {
  webhook: { url: 'https://example.org/hook' },
  ntfy: { url: 'https://ntfy.sh/my-fridge' },
  email: {
    server: 'smtps://anna@mail.example.org',
    from: 'a@example.org',
    to: 'b@example.org, c@example.org',
  },
  mqtt: { topic: 'kitchen/alarms' },
};

test('every kind goes to the hub and comes back as it was, but for its secret', () => {
  for (const { value: kind } of KINDS) {
    const form = { ...EMPTY, name: 'x', kind, ...FILLED[kind] };
    const channel = create(AlarmChannelSchema, channelOf({ ...form, secret: 'hidden' }));
    expect(formOf(channel), kind).toEqual(form);
    expect(targetWords(channel)).not.toContain('hidden');
  }
});

test('addresses may be written in any usual way', () => {
  const channel = create(
    AlarmChannelSchema,
    channelOf({ ...EMPTY, kind: 'email', to: ' a@x.org;b@x.org\nc@x.org ,' }),
  );
  const to = channel.target.case === 'email' ? channel.target.value.to : [];
  expect(to).toEqual(['a@x.org', 'b@x.org', 'c@x.org']);
});
