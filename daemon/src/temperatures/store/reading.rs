//! Readings as graphs, as lists, and one at a time.

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use larder_proto::wire::camera::MilliCelsius;
use tokio_postgres::Row;

use super::{Store, get};
use crate::{
    db,
    temperatures::series::{Begins, Level, Plan, Point},
};

/// A reading of a sensor that its caller knows by key, or the mean of a minute or an hour that stands in for some.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::temperatures) struct Kept {
    pub(in crate::temperatures) key: i32,
    pub(in crate::temperatures) captured_at: Timestamp,
    pub(in crate::temperatures) received_at: Timestamp,
    pub(in crate::temperatures) value: MilliCelsius,
}

/// Since when a sensor's single readings and its minutes are kept, in whole hours.
#[derive(Clone, Copy, Debug)]
pub(in crate::temperatures) struct Since {
    pub(in crate::temperatures) key: i32,
    pub(in crate::temperatures) readings: Timestamp,
    pub(in crate::temperatures) minutes: Timestamp,
}

const BEGINS: &str = "
SELECT (SELECT min(captured_at) FROM readings WHERE sensor = $1) AS single,
       (SELECT min(began_at) FROM reading_minutes WHERE sensor = $1) AS minute,
       (SELECT min(began_at) FROM reading_hours WHERE sensor = $1) AS hour,
       (SELECT min(began_at) FROM reading_days WHERE sensor = $1) AS day";

/// Readings where there are some, before them the means of minutes, and before those of hours.
const KEPT: &str = "
SELECT sensor.key, kept.captured_at, kept.received_at, kept.milli
FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) AS sensor (key, readings, minutes)
CROSS JOIN LATERAL (
    SELECT captured_at, received_at, milli FROM readings
    WHERE sensor = key AND captured_at >= greatest($4, readings) AND captured_at < $5
    UNION ALL
    SELECT began_at + interval '30 s', began_at + interval '30 s', round(total::numeric / count)::integer
    FROM reading_minutes
    WHERE sensor = key AND began_at >= greatest($4, minutes) AND began_at < least($5, readings)
    UNION ALL
    SELECT began_at + interval '30 min', began_at + interval '30 min', round(total::numeric / count)::integer
    FROM reading_hours
    WHERE sensor = key AND began_at >= $4 AND began_at < least($5, minutes)
) AS kept
ORDER BY kept.captured_at, sensor.key";

/// The first reading of each minute, from whole minutes on: what once was answered stays true when more come, and in a
/// window that slides.
const ONE_A_MINUTE: &str = "
SELECT * FROM (
    SELECT DISTINCT ON (date_bin('1 minute', captured_at, 'epoch')) $1::integer AS key, captured_at, received_at, milli
    FROM readings WHERE sensor = $1 AND captured_at >= date_bin('1 minute', $2, 'epoch') AND captured_at < $3
    ORDER BY date_bin('1 minute', captured_at, 'epoch'), captured_at
) AS single
UNION ALL
SELECT $1::integer, began_at, began_at, round(total::numeric / count)::integer FROM reading_minutes
WHERE sensor = $1 AND began_at >= date_bin('1 minute', $2, 'epoch') AND began_at < $3
      AND began_at < coalesce((SELECT date_bin('1 hour', min(captured_at), 'epoch') FROM readings WHERE sensor = $1),
                              'infinity')
ORDER BY captured_at";

const NEAREST: &str = "
(SELECT $1::integer AS key, captured_at, received_at, milli FROM readings
 WHERE sensor = $1 AND captured_at <= $2 ORDER BY captured_at DESC LIMIT 1)
UNION ALL
(SELECT $1::integer, captured_at, received_at, milli FROM readings
 WHERE sensor = $1 AND captured_at > $2 ORDER BY captured_at LIMIT 1)";

impl Store {
    /// A graph's points and the time each stands for, zero for single readings.
    pub(in crate::temperatures) async fn points(
        &self,
        key: i32,
        range: &Range<Timestamp>,
        points: u32,
    ) -> Result<(Vec<Point>, SignedDuration), db::Error> {
        let client = self.db.client().await?;
        let plan = Plan::new(range, points, begins(&client, key).await?);
        if plan.level == Level::Single {
            let sql = "SELECT captured_at, milli FROM readings WHERE sensor = $1 AND captured_at >= $2 \
                       AND captured_at < $3 ORDER BY captured_at LIMIT $4";
            let most = i64::from(points);
            let statement = client.prepare_cached(sql).await?;
            let rows = client.query(&statement, &[&key, &range.start, &range.end, &(most + 1)]).await?;
            if rows.len() <= usize::try_from(points).unwrap_or(usize::MAX) {
                let singles = rows.iter().map(single).collect::<Result<_, _>>()?;
                return Ok((singles, SignedDuration::ZERO));
            }
        }
        let widened = plan.widened(range);
        let statement = client.prepare_cached(&reduced(plan.level)).await?;
        let step = SignedDuration::from_micros(plan.step_us);
        let step_seconds = step.as_secs_f64();
        let rows = client.query(&statement, &[&key, &widened.start, &widened.end, &step_seconds]).await?;
        let points = rows.iter().map(|row| point(row, step)).collect::<Result<_, _>>()?;
        Ok((points, step))
    }

    /// Since when which rows of some sensors are kept.
    pub(in crate::temperatures) async fn since(&self, keys: &[i32]) -> Result<Vec<Since>, db::Error> {
        let client = self.db.client().await?;
        let mut all = Vec::with_capacity(keys.len());
        for key in keys {
            let begins = begins(&client, *key).await?;
            let whole_hour = |level| begins.of(level).map_or(Timestamp::MAX, whole_hour);
            let readings = whole_hour(Level::Single);
            let minutes = whole_hour(Level::Minute).min(readings);
            all.push(Since { key: *key, readings, minutes });
        }
        Ok(all)
    }

    /// When the first row lies that is not before then, of any of these sensors.
    pub(in crate::temperatures) async fn first_from(
        &self,
        keys: &[i32],
        from: Timestamp,
    ) -> Result<Option<Timestamp>, db::Error> {
        let sql = "SELECT min(least(reading.at, minute.at, hour.at)) AS at FROM unnest($1::integer[]) AS key
                   LEFT JOIN LATERAL (SELECT min(captured_at) AS at FROM readings
                                      WHERE sensor = key AND captured_at >= $2) AS reading ON true
                   LEFT JOIN LATERAL (SELECT min(began_at) AS at FROM reading_minutes
                                      WHERE sensor = key AND began_at >= $2) AS minute ON true
                   LEFT JOIN LATERAL (SELECT min(began_at) AS at FROM reading_hours
                                      WHERE sensor = key AND began_at >= $2) AS hour ON true";
        let client = self.db.client().await?;
        let statement = client.prepare_cached(sql).await?;
        get(&client.query_one(&statement, &[&keys, &from]).await?, "at")
    }

    /// What is kept of some sensors in a range, oldest first.
    pub(in crate::temperatures) async fn kept(
        &self,
        sensors: &[Since],
        range: &Range<Timestamp>,
    ) -> Result<Vec<Kept>, db::Error> {
        let keys: Vec<i32> = sensors.iter().map(|since| since.key).collect();
        let readings: Vec<Timestamp> = sensors.iter().map(|since| since.readings).collect();
        let minutes: Vec<Timestamp> = sensors.iter().map(|since| since.minutes).collect();
        let client = self.db.client().await?;
        let statement = client.prepare_cached(KEPT).await?;
        let rows = client.query(&statement, &[&keys, &readings, &minutes, &range.start, &range.end]).await?;
        rows.iter().map(kept).collect()
    }

    /// A sensor's first reading of each minute of a range; the minute's mean where single readings are gone.
    pub(in crate::temperatures) async fn one_a_minute(
        &self,
        key: i32,
        range: &Range<Timestamp>,
    ) -> Result<Vec<Kept>, db::Error> {
        let client = self.db.client().await?;
        let statement = client.prepare_cached(ONE_A_MINUTE).await?;
        client.query(&statement, &[&key, &range.start, &range.end]).await?.iter().map(kept).collect()
    }

    /// The single reading that lies nearest to a moment.
    pub(in crate::temperatures) async fn nearest(&self, key: i32, at: Timestamp) -> Result<Option<Kept>, db::Error> {
        let client = self.db.client().await?;
        let statement = client.prepare_cached(NEAREST).await?;
        let rows = client.query(&statement, &[&key, &at]).await?;
        let near = rows.iter().map(kept).collect::<Result<Vec<_>, _>>()?;
        Ok(near.into_iter().min_by_key(|kept| kept.captured_at.duration_since(at).abs()))
    }
}

async fn begins(client: &db::Client, key: i32) -> Result<Begins, db::Error> {
    let statement = client.prepare_cached(BEGINS).await?;
    let row = client.query_one(&statement, &[&key]).await?;
    Ok(Begins([get(&row, "single")?, get(&row, "minute")?, get(&row, "hour")?, get(&row, "day")?]))
}

/// The statement that makes points of a level's rows.
fn reduced(level: Level) -> String {
    let (table, time) = match level {
        Level::Single => ("readings", "captured_at"),
        Level::Minute => ("reading_minutes", "began_at"),
        Level::Hour => ("reading_hours", "began_at"),
        Level::Day => ("reading_days", "began_at"),
    };
    let values = match level {
        Level::Single => "min(milli) AS least, max(milli) AS most, sum(milli) AS total, count(*) AS count",
        Level::Minute | Level::Hour | Level::Day => {
            "min(least) AS least, max(most) AS most, sum(total)::bigint AS total, sum(count) AS count"
        }
    };
    format!(
        "SELECT date_bin(make_interval(secs => $4), {time}, 'epoch') AS at, {values} FROM {table} \
         WHERE sensor = $1 AND {time} >= $2 AND {time} < $3 GROUP BY 1 ORDER BY 1"
    )
}

fn point(row: &Row, step: SignedDuration) -> Result<Point, db::Error> {
    let begin: Timestamp = get(row, "at")?;
    let (total, count): (i64, i64) = (get(row, "total")?, get(row, "count")?);
    let mean = (total + count / 2).div_euclid(count.max(1));
    Ok(Point {
        at: begin.checked_add(step / 2).unwrap_or(begin),
        least: MilliCelsius(get(row, "least")?),
        most: MilliCelsius(get(row, "most")?),
        mean: MilliCelsius(i32::try_from(mean).unwrap_or_default()),
        count: u32::try_from(count).unwrap_or(u32::MAX),
    })
}

fn single(row: &Row) -> Result<Point, db::Error> {
    let value = MilliCelsius(get(row, "milli")?);
    Ok(Point { at: get(row, "captured_at")?, least: value, most: value, mean: value, count: 1 })
}

fn kept(row: &Row) -> Result<Kept, db::Error> {
    Ok(Kept {
        key: get(row, "key")?,
        captured_at: get(row, "captured_at")?,
        received_at: get(row, "received_at")?,
        value: MilliCelsius(get(row, "milli")?),
    })
}

fn whole_hour(at: Timestamp) -> Timestamp {
    let hour = Level::Hour.width_us();
    crate::clock::from_us(at.as_microsecond().div_euclid(hour) * hour)
}
