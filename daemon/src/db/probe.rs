//! Asks the database every few seconds for what the hub needs of it: a connection, every table, and a row that is
//! written, read and committed to its disk.

use std::{pin::pin, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    cause::{self, Cause},
    health::Health,
    pool::Held,
};
use crate::clock::Clock;

/// Between two probes. Each writes one page of the database's log to its disk.
const PAUSE: Duration = Duration::from_secs(5);
/// And while something is wrong.
const PAUSE_IN_TROUBLE: Duration = Duration::from_secs(2);
/// A probe takes milliseconds; a card that is being trimmed stands still for seconds.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the hub keeps its things in: each can be locked, dropped or damaged by itself.
const TABLES: &[&str] = &[
    "alarm_channels",
    "alarm_pending",
    "alarm_rule_channels",
    "alarm_rules",
    "alarms",
    "cameras",
    "gaps",
    "hub",
    "jobs",
    "manual_recordings",
    "pins",
    "reading_days",
    "reading_hours",
    "reading_marks",
    "reading_minutes",
    "readings",
    "runs",
    "segments",
    "sensors",
    "sensors_gone",
    "sessions",
    "tokens",
    "users",
];

/// Why a probe failed.
type Failed = (Cause, String);

/// Probes for ever. One at a time: a disk that hangs holds its session fast, also when nobody waits for it any more, and
/// a session for each probe would use up the server's connections.
pub(super) async fn run(server: Config, tls: MakeRustlsConnect, health: Health, mut database: Held, clock: Clock) {
    let mut number = 0;
    loop {
        // Another hub's is not written to.
        database.held().await;
        number += 1;
        let mut asking = pin!(ask(&server, tls.clone(), Probe { number, at: clock.now() }));
        let end = Instant::now() + DEADLINE;
        let found = match timeout_at(end, &mut asking).await {
            Ok(found) => found,
            Err(_elapsed) => {
                health.probed(Err((Cause::Slow, format!("no answer within {} s", DEADLINE.as_secs()))));
                asking.await
            }
        };
        let pause = if found.is_ok() { PAUSE } else { PAUSE_IN_TROUBLE };
        health.probed(found);
        sleep(pause).await;
    }
}

/// One probe, over a connection of its own: it finds out whether there still is one to be had.
async fn ask(server: &Config, tls: MakeRustlsConnect, probe: Probe) -> Result<(), Failed> {
    let (client, connection) = server.connect(tls).await.map_err(failed)?;
    tokio::select! {
        biased;
        done = work(&client, probe) => done,
        ended = connection => Err(ended.err().map_or((Cause::Away, "the connection was closed".to_owned()), failed)),
    }
}

async fn work(client: &Client, probe: Probe) -> Result<(), Failed> {
    let answer = client.simple_query(&probe.statements()).await.map_err(failed)?;
    let read = answer.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.try_get("number").ok().flatten().map(str::to_owned),
        _ => None,
    });
    let Probe { number, .. } = probe;
    if read == Some(number.to_string()) {
        Ok(())
    } else {
        Err((Cause::Damaged, format!("{number} was written to database_probe, and {read:?} is read there")))
    }
}

/// What a probe writes.
#[derive(Clone, Copy)]
struct Probe {
    number: i64,
    at: Timestamp,
}

impl Probe {
    /// All of it in one round trip. A lock that writers need shows whether they would wait; a row's own place (`ctid`)
    /// stands in no index, so that a page of the table itself is read.
    fn statements(self) -> String {
        let first_row = |table: &&str| format!("(SELECT ctid FROM {table} LIMIT 1)");
        let first_rows: Vec<String> = TABLES.iter().map(first_row).collect();
        let Self { number, at } = self;
        format!(
            "SET lock_timeout = '3s'; SET statement_timeout = '8s'; BEGIN;
             INSERT INTO database_probe (number, written_at) VALUES ({number}, '{at}') ON CONFLICT (id)
                 DO UPDATE SET number = excluded.number, written_at = excluded.written_at;
             LOCK TABLE {} IN ROW EXCLUSIVE MODE;
             SELECT {};
             SELECT number FROM database_probe;
             COMMIT",
            TABLES.join(", "),
            first_rows.join(", ")
        )
    }
}

fn failed(error: tokio_postgres::Error) -> Failed {
    // transaction_rollback: another session's locks were in the way of ours.
    let is_in_the_way = error.code().is_some_and(|code| code.code().starts_with("40"));
    // What the server refuses for another reason is no answer either.
    let other = if is_in_the_way { Cause::Locked } else { Cause::Away };
    (Cause::of(&error).unwrap_or(other), cause::words(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        db::{Config, Db},
        events::Events,
        tasks::Tasks,
        testing::prepare_cluster,
    };

    #[tokio::test]
    async fn every_table_of_the_schema_is_probed() {
        let state = tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir();
        let state = state.unwrap();
        prepare_cluster(state.path());
        let tasks = Tasks::new();
        let db = Db::start(&Config::default(), state.path(), Events::new(Clock::new()), &tasks).await.unwrap();
        let client = db.client().await.unwrap();
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
        let rows = client.query(sql, &[]).await.unwrap();
        let all: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let others = ["database_probe", "refinery_schema_history"];
        let kept: Vec<&str> = all.iter().map(String::as_str).filter(|table| !others.contains(table)).collect();
        assert_eq!(kept, TABLES);
        client.simple_query(&Probe { number: 1, at: Clock::new().now() }.statements()).await.unwrap();
        drop(client);
        tasks.stop(Duration::from_secs(5)).await;
        assert!(db.close(Duration::from_secs(20)).await);
    }
}
