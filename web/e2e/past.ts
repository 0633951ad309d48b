// Readings that a hub would have had to live through for a year, as rows of its database.

/** Seconds before now at which nothing was read for a while. */
export const SILENT = { from: 9 * 3600, to: 6 * 3600 };

const REAL_SECONDS = 2 * 86_400;
const YEAR_DAYS = 400;

/**
 * Two days of single readings, each half minute: a compressor's saw-tooth, doors that open, and a silence. Before
 * that a year of hours and days, as they are left when single readings are no longer kept.
 */
export function pastOf(sensor: string, celsius: number, swing: number): string {
  const value = `round(1000 * (${celsius} + ${swing} * (n % 2700) / 2700.0 + 0.15 * sin(n / 977.0)
    + CASE WHEN n % 14400 < 900 THEN ${swing} * 1.5 * exp(-(n % 14400) / 300.0) ELSE 0 END))::int`;
  const key = `(SELECT key FROM sensors WHERE name = '${sensor}')`;
  const level = (table: string, width: string) => `
    INSERT INTO reading_${table} (sensor, began_at, least, most, total, count)
    SELECT sensor, date_bin('1 ${width}', captured_at, 'epoch'), min(milli), max(milli), sum(milli), count(*)
    FROM readings WHERE sensor = ${key} GROUP BY 1, 2 ON CONFLICT DO NOTHING;`;
  const year = (table: string, width: string, count: number, most: number) => `
    INSERT INTO reading_${table} (sensor, began_at, least, most, total, count)
    SELECT ${key}, began, middle - 500 - spread, middle + 900 + spread, middle::bigint * ${count}, ${count}
    FROM (SELECT date_bin('1 ${width}', now(), 'epoch') - n * interval '1 ${width}' AS began,
            round(1000 * (${celsius} + 1.1 * sin(n * ${most} / 58.0) + 0.3 * sin(n * ${most} / 3.1)))::int AS middle,
            (300 * abs(sin(n * 1.7)))::int AS spread
          FROM generate_series(0, ${Math.round(YEAR_DAYS / most)}) n) past
    WHERE began < now() - interval '${REAL_SECONDS} seconds' - interval '1 ${width}' ON CONFLICT DO NOTHING;`;
  return `
    INSERT INTO readings (sensor, captured_at, received_at, milli)
    SELECT ${key}, now() - n * interval '1 second', now() - n * interval '1 second', ${value}
    FROM generate_series(60, ${REAL_SECONDS}, 30) n WHERE n NOT BETWEEN ${SILENT.to} AND ${SILENT.from}
    ON CONFLICT DO NOTHING;
    ${level('minutes', 'minute')} ${level('hours', 'hour')} ${level('days', 'day')}
    ${year('hours', 'hour', 120, 1 / 24)} ${year('days', 'day', 2880, 1)}`;
}
