// What is said about the way pictures take. Pure.

import type { Obstacle, Way } from './choice';
import type { LimitedBy, Wish } from './relay';

/** How pictures come, and what holds them down. */
export interface Transport {
  way: Way;
  obstacle: Obstacle;
  limits: Wish;
  limitedBy: LimitedBy;
}

/** The way's name and what it means. */
export function wayWords({ way, obstacle }: Transport): { name: string; why: string } {
  if (way === 'webtransport')
    return {
      name: 'WebTransport',
      why: 'Over QUIC: a lost packet delays one picture and not all that follow',
    };
  const why = {
    insecure:
      'This page came over plain HTTP. Over HTTPS it could use WebTransport, which suits bad lines better',
    unsupported: 'This browser has no WebTransport, which suits bad lines better',
    unreachable: 'The hub’s UDP port 7443 was not reached. WebTransport is tried again by itself',
  };
  return { name: 'WebSocket', why: obstacle ? why[obstacle] : 'WebTransport is tried again by itself' };
}

/** What the line holds down, for people; empty when it does not. */
export function limitWords({ limits, limitedBy }: Transport): string {
  if (limitedBy !== 'line') return '';
  const size = limits.width && limits.height ? `${limits.width} × ${limits.height}` : '';
  const rate = limits.fps === undefined ? '' : `${limits.fps} fps`;
  return [rate, size].filter(Boolean).join(', ');
}
