/** So many points fill the width at least: a short past is a short line at the right, not a stretched one. */
const FULL = 60;

/** The path of a small line: newest at the right, a missing value breaks it. Empty without two values. */
export function sparkline(
  points: readonly (number | null)[],
  width: number,
  height: number,
  floor?: number,
): string {
  const values = points.filter((point) => point !== null);
  if (values.length < 2) return '';
  const low = Math.min(...values, floor ?? Infinity);
  const high = Math.max(...values, floor ?? -Infinity);
  const across = width / (Math.max(points.length, FULL) - 1);
  const left = width - across * (points.length - 1);
  let pen = 'M';
  let path = '';
  points.forEach((point, index) => {
    if (point === null) {
      pen = 'M';
      return;
    }
    // A value that never changes lies in the middle, or on its floor.
    const part = high > low ? (point - low) / (high - low) : floor === point ? 0 : 0.5;
    path += `${pen}${(left + index * across).toFixed(1)} ${(height - part * height).toFixed(1)}`;
    pen = 'L';
  });
  return path;
}
