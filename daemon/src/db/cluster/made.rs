//! Whether a cluster is whole: one whose making was interrupted holds nothing, and is made anew.

use std::{fs, path::Path};

/// The first line of our settings in `postgresql.conf`.
pub(super) const MARK: &str = "# Written by larderd when it made this cluster.";
/// How users are mapped in `pg_hba.conf`.
pub(super) const MAP: &str = "map=larder";

/// What lies in the cluster's folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A cluster, as we make them.
    Whole,
    /// What was left when its making was interrupted: nobody has ever written anything into it.
    HalfMade,
    /// A whole cluster without our settings: one that was left so was started by earlier versions, and may be in use.
    Unconfigured,
}

/// Looks into the folder. Nothing is changed.
pub(super) fn found(data: &Path) -> Found {
    if !data.exists() {
        return Found::Nothing;
    }
    if !data.join("PG_VERSION").exists() || !data.join("global/pg_control").exists() {
        return Found::HalfMade;
    }
    if is_configured(data) {
        return Found::Whole;
    }
    // Written by a server that serves, and not by initdb's (PostgreSQL's `CreateOptsFile`).
    let has_served = data.join("postmaster.opts").exists();
    if has_served && has_all_databases(data) { Found::Unconfigured } else { Found::HalfMade }
}

/// Whether our settings are there; people may have changed them since.
fn is_configured(data: &Path) -> bool {
    let read = |name: &str| fs::read_to_string(data.join(name)).unwrap_or_default();
    let settings = read("postgresql.conf");
    let says_where_it_listens = settings.lines().any(|line| line.trim_start().starts_with("listen_addresses"));
    read("pg_hba.conf").contains(MAP) && (settings.contains(MARK) || says_where_it_listens)
}

/// initdb makes `template1` first, then `template0` and `postgres` of it; each is a folder named by a number.
fn has_all_databases(data: &Path) -> bool {
    let folders = fs::read_dir(data.join("base")).into_iter().flatten().flatten();
    folders.filter(|folder| folder.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok())).count() >= 3
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As initdb leaves it, by and by.
    fn cluster(files: &[(&str, &str)]) -> tempfile::TempDir {
        let data = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = data.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        data
    }

    const VERSION: (&str, &str) = ("PG_VERSION", "15\n");
    const CONTROL: (&str, &str) = ("global/pg_control", "");
    const HBA: (&str, &str) = ("pg_hba.conf", "local all all peer map=larder\n");
    const DEFAULTS: (&str, &str) = ("postgresql.conf", "#listen_addresses = 'localhost'\n");
    const OPTIONS: (&str, &str) = ("postmaster.opts", "");
    const DATABASES: [(&str, &str); 3] = [("base/1/x", ""), ("base/4/x", ""), ("base/5/x", "")];

    #[test]
    fn a_cluster_whose_making_was_interrupted_is_known_at_every_step() {
        let gone = tempfile::tempdir().unwrap().path().to_owned();
        assert_eq!(found(&gone), Found::Nothing);
        let steps: [&[(&str, &str)]; 5] = [
            &[],
            &[VERSION],
            &[VERSION, CONTROL, DEFAULTS],
            &[VERSION, CONTROL, DEFAULTS, HBA],
            // A server of an earlier version was started on it, and could not be reached.
            &[VERSION, CONTROL, DEFAULTS, OPTIONS, DATABASES[0]],
        ];
        for files in steps {
            assert_eq!(found(cluster(files).path()), Found::HalfMade, "{files:?}");
        }
    }

    #[test]
    fn a_cluster_that_may_be_in_use_is_never_taken_for_half_made() {
        let settings = format!("{}\n{MARK}\nlisten_addresses = ''\n", DEFAULTS.1);
        let whole = [VERSION, CONTROL, HBA, ("postgresql.conf", settings.as_str())];
        assert_eq!(found(cluster(&whole).path()), Found::Whole);
        let edited = [VERSION, CONTROL, HBA, ("postgresql.conf", "listen_addresses = ''\nshared_buffers = 1GB\n")];
        assert_eq!(found(cluster(&edited).path()), Found::Whole, "people may tidy up");
        let started = [&[VERSION, CONTROL, DEFAULTS, OPTIONS][..], &DATABASES].concat();
        assert_eq!(found(cluster(&started).path()), Found::Unconfigured);
    }
}
