// Which page a path names. Pure, so that links and the address bar agree by test.

/** A page and what it is about. */
export type Route =
  | { page: 'home' }
  | { page: 'cameras' }
  | { page: 'camera'; camera: string }
  | { page: 'recordings' }
  | { page: 'day'; camera: string; day: string }
  | { page: 'temperatures' }
  | { page: 'sensors' }
  | { page: 'alarms' }
  | { page: 'system' }
  | { page: 'sign-in' }
  | { page: 'unknown' };

/** The page a path names. */
export function parseRoute(path: string): Route {
  const parts = path.split('/').filter(Boolean).map(decoded);
  const [first, second, third] = parts;
  if (parts.length === 0) return { page: 'home' };
  if (first === 'cameras' && parts.length === 1) return { page: 'cameras' };
  if (first === 'cameras' && second && parts.length === 2) return { page: 'camera', camera: second };
  if (first === 'recordings' && parts.length === 1) return { page: 'recordings' };
  if (first === 'recordings' && second && third && parts.length === 3 && isDay(third)) {
    return { page: 'day', camera: second, day: third };
  }
  if (first === 'temperatures' && parts.length === 1) return { page: 'temperatures' };
  if (first === 'temperatures' && second === 'sensors' && parts.length === 2) return { page: 'sensors' };
  if (first === 'alarms' && parts.length === 1) return { page: 'alarms' };
  if (first === 'system' && parts.length === 1) return { page: 'system' };
  if (first === 'sign-in' && parts.length === 1) return { page: 'sign-in' };
  return { page: 'unknown' };
}

/** The path of a camera's page. */
export function cameraPath(camera: string): string {
  return `/cameras/${encodeURIComponent(camera)}`;
}

/** The path of a camera's recordings of one day, `yyyy-mm-dd` on the viewer's clock. */
export function dayPath(camera: string, day: string): string {
  return `/recordings/${encodeURIComponent(camera)}/${day}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function isDay(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}
