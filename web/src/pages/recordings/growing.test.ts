import { expect, test } from 'vitest';
import { withoutEnd } from './growing';

test('a list without its end lists the same', () => {
  const list = ['#EXTM3U', '#EXT-X-PLAYLIST-TYPE:VOD', '#EXTINF:2,', '7.m4s', '#EXT-X-ENDLIST', ''].join(
    '\n',
  );
  expect(withoutEnd(list)).toBe(['#EXTM3U', '#EXTINF:2,', '7.m4s', ''].join('\n'));
});
