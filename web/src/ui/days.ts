// Days on the viewer's clock. A day may have 23 or 25 hours, so nothing here multiplies by 24.

/** The day a moment falls in, as `yyyy-mm-dd`. */
export function dayOf(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** From midnight to midnight. */
export function dayRange(day: string): { from: number; to: number } {
  const [year = 1970, month = 1, date = 1] = day.split('-').map(Number);
  return {
    from: new Date(year, month - 1, date).getTime(),
    to: new Date(year, month - 1, date + 1).getTime(),
  };
}

/** The day some days later, or earlier when negative. */
export function dayPlus(day: string, days: number): string {
  const [year = 1970, month = 1, date = 1] = day.split('-').map(Number);
  return dayOf(new Date(year, month - 1, date + days).getTime());
}

/** How people call it: Today, Yesterday, or `Fri 20 November`. */
export function dayName(day: string, now: number): string {
  const today = dayOf(now);
  if (day === today) return 'Today';
  if (day === dayPlus(today, -1)) return 'Yesterday';
  return dayDate(day);
}

/** `Fri 20 November`. */
export function dayDate(day: string): string {
  return new Date(dayRange(day).from).toLocaleDateString('en-GB', {
    weekday: 'short',
    day: 'numeric',
    month: 'long',
  });
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
