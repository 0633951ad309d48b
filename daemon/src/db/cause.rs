//! What keeps PostgreSQL from doing what is asked of it, by the code of its answer, and what helps. Pure.

use std::{path::PathBuf, time::Duration};

use tokio_postgres::config::Host;

use crate::{outcome::chain, parts::Trouble};

/// Why the database does not work. The reasons are a contract, listed in `docs/operations.md`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cause {
    Away,
    Busy,
    Denied,
    Locked,
    Slow,
    Full,
    ReadOnly,
    Incomplete,
    Damaged,
}

impl Cause {
    /// The cause behind an error; `None` for errors of a statement, which say nothing about the database.
    pub(super) fn of(error: &tokio_postgres::Error) -> Option<Self> {
        match error.code() {
            Some(code) => Self::of_code(code.code()),
            // No answer of the server: the connection broke, or there is none.
            None => is_connection(error).then_some(Self::Away),
        }
    }

    /// By SQLSTATE (PostgreSQL's appendix A).
    fn of_code(code: &str) -> Option<Self> {
        Some(match code {
            // disk_full
            "53100" => Self::Full,
            // lock_not_available
            "55P03" => Self::Locked,
            // query_canceled: statement_timeout
            "57014" => Self::Slow,
            // read_only_sql_transaction
            "25006" => Self::ReadOnly,
            // undefined_table, undefined_column, undefined_function, invalid_schema_name, invalid_catalog_name
            "42P01" | "42703" | "42883" | "3F000" | "3D000" => Self::Incomplete,
            // data_corrupted, index_corrupted, io_error, undefined_file
            "XX001" | "XX002" | "58030" | "58P01" => Self::Damaged,
            // insufficient_privilege
            "42501" => Self::Denied,
            // insufficient_resources: no connection or no memory is left
            _ if code.starts_with("53") => Self::Busy,
            // operator_intervention: it starts or stops
            _ if code.starts_with("57P") => Self::Away,
            // invalid_authorization_specification
            _ if code.starts_with("28") => Self::Denied,
            _ => return None,
        })
    }

    /// The word for programs.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Busy => "busy",
            Self::Denied => "denied",
            Self::Locked => "locked",
            Self::Slow => "slow",
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Incomplete => "incomplete",
            Self::Damaged => "damaged",
        }
    }

    /// As a part's trouble, with what helps at that place.
    pub(super) fn trouble(self, why: &str, place: &Place) -> Trouble {
        let what = match self {
            Self::Away => "it does not answer; live view and recording go on, changes are refused until it is back",
            Self::Busy => "it has no connection or memory left",
            Self::Denied => "it refuses the hub's user",
            Self::Locked => "another program has locked its tables",
            Self::Slow => "it does not finish what it is asked",
            Self::Full => "its disk is full",
            Self::ReadOnly => "it accepts no changes",
            Self::Incomplete => "tables of the hub are missing",
            Self::Damaged => "its files are damaged",
        };
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Trouble::new(self.reason(), format!("{what}{why}. {}", self.remedy(place)))
    }

    /// How long a statement that met it speaks for the whole database. What passes is met again within seconds while it
    /// lasts; what stays may be met only by what the hub does rarest, its limits, once a minute.
    pub(super) fn counts_for(self) -> Duration {
        Duration::from_secs(match self {
            Self::Away | Self::Busy | Self::Locked | Self::Slow | Self::Full => 15,
            Self::Denied | Self::ReadOnly | Self::Incomplete | Self::Damaged => 90,
        })
    }

    fn remedy(self, place: &Place) -> String {
        let log = place.log();
        match self {
            Self::Away => match place {
                Place::Own { .. } => format!("The hub starts it again by itself; {log} says what keeps it from that"),
                Place::Server(_) => format!("Start it, or correct database.url; {log} says more"),
            },
            Self::Busy => {
                format!("Close other programs' connections, or raise max_connections in {}", place.settings())
            }
            Self::Denied => match place {
                Place::Own { .. } => format!("See {log}"),
                Place::Server(_) => format!("Correct database.url, or grant the user its rights; {log} says more"),
            },
            Self::Locked => {
                "End that program; pg_locks and pg_stat_activity name it (pg_terminate_backend ends its session)"
                    .to_owned()
            }
            Self::Slow => format!("Its disk hangs or its machine is overloaded; see dmesg there, and {log}"),
            Self::Full => format!("Make room on the disk of {}", place.data()),
            Self::ReadOnly => {
                format!("Use the primary server, or turn default_transaction_read_only off in {}", place.settings())
            }
            Self::Incomplete => format!("Restore a backup of {} (larderctl backup list)", place.data()),
            Self::Damaged => format!(
                "Check the disk (dmesg, SMART), then restore a backup of {} (larderctl backup list); {log} says more",
                place.data()
            ),
        }
    }
}

/// Whether there is no answer because there is no connection; else the answer was not what was expected.
fn is_connection(error: &tokio_postgres::Error) -> bool {
    let is_io = std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>());
    error.is_closed() || is_io
}

/// An error in one line, for people: the server's own words where there are some.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| chain(error), |error| error.message().to_owned())
}

/// Where the database is, for whoever has to go there.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The hub's own cluster: its log and its data.
    Own { log: PathBuf, data: PathBuf },
    /// The server of `database.url`, without its secrets.
    Server(String),
}

impl Place {
    pub(super) fn server(config: &tokio_postgres::Config) -> Self {
        let hosts: Vec<String> = config.get_hosts().iter().map(name).collect();
        Self::Server(hosts.join(", "))
    }

    fn log(&self) -> String {
        match self {
            Self::Own { log, .. } => log.display().to_string(),
            Self::Server(host) => format!("the log of the server at {host}"),
        }
    }

    fn data(&self) -> String {
        match self {
            Self::Own { data, .. } => data.display().to_string(),
            Self::Server(host) => format!("the server at {host}"),
        }
    }

    fn settings(&self) -> String {
        match self {
            Self::Own { data, .. } => data.join("postgresql.conf").display().to_string(),
            Self::Server(host) => format!("the settings of the server at {host}"),
        }
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_failure_has_its_reason_and_a_refused_statement_has_none() {
        let place = Place::Own { log: "/var/lib/larder/postgres/postgres.log".into(), data: "/data".into() };
        let reason = |code| Cause::of_code(code).map(|cause| cause.trouble("why", &place).reason);
        let expected = [
            ("53300", "busy"),
            ("53200", "busy"),
            ("53100", "full"),
            ("55P03", "locked"),
            ("57014", "slow"),
            ("57P03", "away"),
            ("25006", "read_only"),
            ("42P01", "incomplete"),
            ("XX001", "damaged"),
            ("XX002", "damaged"),
            ("28P01", "denied"),
            ("42501", "denied"),
        ];
        for (code, expected) in expected {
            assert_eq!(reason(code), Some(expected), "{code}");
        }
        for refused in ["23505", "22001", "40P01"] {
            assert_eq!(reason(refused), None, "{refused}");
        }
    }

    #[test]
    fn the_remedy_names_the_clusters_files_or_the_configured_server_and_never_its_password() {
        let own = Place::Own { log: "/var/lib/larder/postgres/postgres.log".into(), data: "/data".into() };
        let detail = Cause::Damaged.trouble("invalid page in block 0", &own).detail;
        assert!(detail.contains("invalid page in block 0") && detail.contains("/data"), "{detail}");
        assert!(detail.contains("/var/lib/larder/postgres/postgres.log"), "{detail}");
        let server = Place::server(&"postgresql://larder:hunter2@db.example/larder".parse().unwrap());
        let detail = Cause::Away.trouble("", &server).detail;
        assert!(detail.contains("the server at db.example") && !detail.contains("hunter2"), "{detail}");
    }
}
