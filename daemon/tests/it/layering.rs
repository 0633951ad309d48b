//! Who may use whom: the sources are read, and anything else fails.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Open to all.
const FOUNDATIONS: &[&str] = &[
    "addresses",
    "backoff",
    "bucket",
    "clock",
    "events",
    "files",
    "identity",
    "interfaces",
    "named",
    "outcome",
    "parts",
    "pb_mask",
    "pb_page",
    "pb_time",
    "repeats",
    "secrets",
    "tasks",
    "trust",
];

/// Files and folders that hold tests alone.
const TEST_FILES: &[&str] = &["tests", "testing"];

const CALLER: &str = "access";

/// What each module of the daemon may use beside the foundations and itself. A domain's `mod` uses no other domain;
/// its `store` adds the database; its `service` adds who calls and what it commands.
const RULES: &[(&str, &[&str])] = &[
    ("hub", &[]),
    ("db", &[]),
    ("disk", &[]),
    ("certs", &[]),
    ("ingest", &["hub", "cameras", "temperatures"]),
    // The database for the kinds of its errors and changes alone; rows are the store's.
    ("recorder", &["hub", "recordings", "db"]),
    ("http", &["hub", "access", "cameras", "recordings", "temperatures", "viewers"]),
    ("relay", &["hub", CALLER, "viewers"]),
    ("rpc", &[CALLER]),
    ("access", &["db"]),
    ("cameras", &["db"]),
    ("cameras/service", &[CALLER, "hub", "ingest", "recorder"]),
    ("cameras/firmware", &["hub", "ingest"]),
    ("cameras/status", &["hub"]),
    ("cameras/watch", &["hub"]),
    ("recordings", &["db"]),
    // What a camera is, beside its footage and back.
    ("adoption", &["db", "recorder", "recordings"]),
    ("recordings/service", &[CALLER, "cameras", "recorder", "jobs"]),
    ("temperatures", &["db"]),
    ("temperatures/service", &[CALLER, "cameras"]),
    // An alarm watches what it is about.
    ("alarms", &["db", "temperatures"]),
    ("alarms/watch", &["hub", "cameras", "recorder"]),
    ("alarms/channels", &["mqtt"]),
    ("alarms/service", &[CALLER, "cameras"]),
    // A connection to a broker; what is said on it, others know.
    ("mqtt", &[]),
    // Broadcasts for relays of Media over QUIC.
    ("moq", &["hub", "cameras", "viewers"]),
    ("home_assistant", &["mqtt", "hub", "cameras", "temperatures", "alarms"]),
    // A pass is its caller's.
    ("viewers", &[CALLER]),
    ("viewers/service", &["cameras"]),
    // Beside the recordings, and only there where these may be written.
    ("backups", &["db", "recorder"]),
    ("backups/service", &[CALLER, "jobs"]),
    // What does them is the database's.
    ("jobs", &["db"]),
    ("jobs/service", &[CALLER]),
    ("system", &[]),
    ("system/service", &[CALLER, "cameras", "hub", "recorder"]),
];

#[test]
fn every_module_uses_only_what_its_layer_may() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut broken = Vec::new();
    let mut seen = BTreeSet::new();
    for path in rust_files(&source) {
        let module = module(&source, &path);
        let top = module.split('/').next().unwrap().to_owned();
        if ["app", "config", "lib", "main"].contains(&top.as_str()) || FOUNDATIONS.contains(&top.as_str()) {
            continue;
        }
        seen.insert(top.clone());
        for used in uses(&fs::read_to_string(&path).unwrap()) {
            if used != top && !FOUNDATIONS.contains(&used.as_str()) && !allowed(&module, &top).contains(used.as_str()) {
                broken.push(format!("{module} uses {used}"));
            }
        }
    }
    assert_eq!(broken, Vec::<String>::new());
    let unruled: Vec<_> = seen.iter().filter(|top| !RULES.iter().any(|(module, _)| module == top)).collect();
    assert!(unruled.is_empty(), "no rule for {unruled:?}");
}

#[test]
fn foundations_use_foundations_alone() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for foundation in FOUNDATIONS {
        let text = fs::read_to_string(source.join(format!("{foundation}.rs"))).unwrap();
        for used in uses(&text) {
            assert!(FOUNDATIONS.contains(&used.as_str()), "{foundation} uses {used}");
        }
    }
}

#[test]
fn uses_are_found_in_every_form() {
    let text =
        "use crate::hub::Hub;\nuse crate::{\n    clock::Clock,\n    db::{self, Db},\n};\nfn f() { crate::rpc::x(); }";
    let found: Vec<String> = uses(text).into_iter().collect();
    assert_eq!(found, ["clock", "db", "hub", "rpc"]);
}

fn allowed<'a>(module: &str, top: &str) -> BTreeSet<&'a str> {
    let applies = |rule: &str| rule == top || module == rule || module.starts_with(&format!("{rule}/"));
    RULES.iter().filter(|(rule, _)| applies(rule)).flat_map(|(_, may)| may.iter().copied()).collect()
}

/// The modules named after `crate::`, tests left out.
fn uses(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]").next().unwrap();
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.extend(first_name(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut item = String::new();
                for character in list.chars() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.extend(first_name(&std::mem::take(&mut item))),
                        _ => {}
                    }
                    if depth == 0 && character != ',' {
                        item.push(character);
                    }
                }
                found.extend(first_name(&item));
            }
        }
    }
    found
}

fn first_name(path: &str) -> Option<String> {
    let name: String = path.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    name.chars().next().is_some_and(char::is_lowercase).then_some(name)
}

fn module(source: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(source).unwrap().with_extension("");
    relative.to_str().unwrap().trim_end_matches("/mod").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() && !TEST_FILES.contains(&name.as_str()) {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !TEST_FILES.contains(&name.as_str()) {
            files.push(path);
        }
    }
    files
}
