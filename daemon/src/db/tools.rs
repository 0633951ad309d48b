//! PostgreSQL's own programs for dumps: where they are, and how they reach the server.

use std::{
    ffi::OsString,
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use tokio::process::{Child, Command};
use tokio_postgres::config::{Host, SslMode};

use super::{Config, cluster, dump::Error};

/// One of them stands for all: Debian installs them together.
const FIRST: &str = "pg_dump";
/// What is shown of what a program said.
const SAID: usize = 600;
/// Where Debian keeps the authorities that libpq before version 16 does not find by itself.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How the programs are found, and how they reach the server.
#[derive(Clone, Debug)]
pub struct Tools {
    bin_dir: Option<PathBuf>,
    reach: Vec<(&'static str, OsString)>,
}

/// The programs of one version.
#[derive(Clone, Debug)]
pub struct Programs {
    folder: PathBuf,
    reach: Vec<(&'static str, OsString)>,
}

impl Tools {
    /// For the server of a configuration.
    pub(super) fn new(config: &Config, server: &tokio_postgres::Config) -> Self {
        Self { bin_dir: config.bin_dir.clone(), reach: reach(server, config.ca_file.as_deref()) }
    }

    /// Programs that can dump a server of this major version: of its own, else the next newer ones.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] when there are none.
    pub(super) async fn of_server(&self, major: u32) -> Result<Programs, Error> {
        let fitting = self.found().await.into_iter().filter(|(version, _)| *version >= major);
        let best = fitting.min_by_key(|(version, _)| *version);
        best.map(|(_, folder)| self.programs(folder)).ok_or(Error::NotInstalled(major))
    }

    /// The newest programs: they read the dumps of all versions before theirs.
    ///
    /// # Errors
    /// [`Error::NotInstalled`] when there are none.
    pub async fn newest(&self) -> Result<Programs, Error> {
        let best = self.found().await.into_iter().max_by_key(|(version, _)| *version);
        best.map(|(_, folder)| self.programs(folder)).ok_or(Error::NotInstalled(0))
    }

    fn programs(&self, folder: PathBuf) -> Programs {
        Programs { folder, reach: self.reach.clone() }
    }

    /// Folders that hold them, with the major version.
    async fn found(&self) -> Vec<(u32, PathBuf)> {
        let mut found = Vec::new();
        for folder in self.bin_dir.iter().cloned().chain(cluster::program_folders()).chain(folders_of_path()) {
            if let Some(version) = version_of(&folder.join(FIRST)).await {
                found.push((version, folder));
            }
        }
        found
    }
}

impl Programs {
    /// One of them, on this server. It ends with the hub, and when it is dropped.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = cluster::bound_to_us("KILL", &self.folder.join(program));
        command.envs(self.reach.iter().map(|(name, value)| (name, value))).kill_on_drop(true);
        command
    }
}

/// Starts a program; what it complains of is read by [`finish`].
pub(super) fn spawn(command: &mut Command, program: &'static str) -> Result<Child, Error> {
    command.stderr(Stdio::piped()).spawn().map_err(|source| Error::Spawn { program, source })
}

/// Waits until it has done its work; what it wrote to a pipe that nobody took comes back. Dropped, it ends the program.
pub(super) async fn finish(child: Child, program: &'static str) -> Result<Vec<u8>, Error> {
    let ended = child.wait_with_output().await.map_err(|source| Error::Spawn { program, source })?;
    let Output { status, stdout, stderr } = ended;
    if status.success() { Ok(stdout) } else { Err(Error::Failed { program, said: said(&stderr) }) }
}

/// The end of what a program said, in one line.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let cut = line.char_indices().rev().nth(SAID).map_or(0, |(at, _)| at);
    line[cut..].to_owned()
}

/// As libpq's variables: a command line would show the password to everybody on the machine.
fn reach(server: &tokio_postgres::Config, ca_file: Option<&Path>) -> Vec<(&'static str, OsString)> {
    let hosts = server.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => OsString::from(name),
        Host::Unix(folder) => folder.clone().into_os_string(),
    });
    let ports = server.get_ports().iter().map(|port| port.to_string().into());
    let addresses = server.get_hostaddrs().iter().map(|address| address.to_string().into());
    let text = |text: Option<&str>| text.map(OsString::from);
    // As this program itself checks them: whoever must be reached over TLS must also be who they say.
    let (mode, root) = match server.get_ssl_mode() {
        SslMode::Disable => ("disable", None),
        SslMode::Require => ("verify-full", Some(ca_file.unwrap_or(Path::new(AUTHORITIES)))),
        _ => ("prefer", ca_file),
    };
    let variables = [
        ("PGHOST", joined(hosts)),
        ("PGHOSTADDR", joined(addresses)),
        ("PGPORT", joined(ports)),
        ("PGUSER", text(server.get_user())),
        ("PGPASSWORD", server.get_password().map(|password| OsString::from_vec(password.to_vec()))),
        ("PGDATABASE", text(server.get_dbname())),
        ("PGOPTIONS", text(server.get_options())),
        ("PGSSLMODE", Some(mode.into())),
        ("PGSSLROOTCERT", root.map(|path| path.as_os_str().to_owned())),
        ("PGAPPNAME", Some("larderd".into())),
        ("PGCONNECT_TIMEOUT", Some("10".into())),
        // What they say is shown to people, in the language of everything else.
        ("LC_ALL", Some("C.UTF-8".into())),
    ];
    variables.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Several, as libpq takes them; `None` when there are none.
fn joined(all: impl Iterator<Item = OsString>) -> Option<OsString> {
    let all: Vec<Vec<u8>> = all.map(OsString::into_vec).collect();
    (!all.is_empty()).then(|| OsString::from_vec(all.join(&b','))).filter(|joined| !joined.as_bytes().is_empty())
}

fn folders_of_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The major version of a program; `None` when it is not there.
async fn version_of(program: &Path) -> Option<u32> {
    fs::metadata(program).ok()?;
    let mut command = Command::new(program);
    let said = command.arg("--version").stdin(Stdio::null()).kill_on_drop(true).output().await.ok()?;
    major(&String::from_utf8_lossy(&said.stdout))
}

/// Of `pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)`.
fn major(said: &str) -> Option<u32> {
    let (_, version) = said.split_once("(PostgreSQL) ")?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(url: &str, ca_file: Option<&str>) -> Vec<(&'static str, String)> {
        let reach = reach(&url.parse().unwrap(), ca_file.map(Path::new));
        reach.into_iter().map(|(name, value)| (name, value.into_string().unwrap())).collect()
    }

    fn value<'a>(reached: &'a [(&str, String)], name: &str) -> Option<&'a str> {
        reached.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_url_is_handed_on_in_variables() {
        let url = "postgresql://larder:s%20t@one,two:5433/fridge?sslmode=require&options=-c%20x%3D1";
        let all = reached(url, Some("/ca.pem"));
        let wanted = [
            ("PGHOST", "one,two"),
            ("PGPORT", "5432,5433"),
            ("PGUSER", "larder"),
            ("PGPASSWORD", "s t"),
            ("PGDATABASE", "fridge"),
            ("PGOPTIONS", "-c x=1"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.pem"),
        ];
        for (name, wanted) in wanted {
            assert_eq!(value(&all, name), Some(wanted), "{name}");
        }
        let all = reached("postgresql://larder@%2Frun%2Fx/postgres", None);
        assert_eq!((value(&all, "PGHOST"), value(&all, "PGPASSWORD")), (Some("/run/x"), None));
        assert_eq!((value(&all, "PGSSLMODE"), value(&all, "PGSSLROOTCERT")), (Some("prefer"), None));
    }

    #[test]
    fn a_programs_version_is_read_from_what_it_says() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)\n"), Some(15));
        assert_eq!(major("pg_dump (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(major("no such cluster\n"), None);
    }

    #[test]
    fn of_much_that_is_said_the_end_is_told() {
        assert_eq!(said(b"pg_dump: error:\n  no space\n"), "pg_dump: error: no space");
        let much = said(format!("{}the end", "é ".repeat(4000)).as_bytes());
        assert!(much.ends_with("the end") && much.chars().count() == SAID + 1, "{much}");
    }
}
