//! Every target over its kept inputs, without a fuzzer.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "what fails, fails the test, and says with which input")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use larder_fuzz_targets::{TARGETS, run};

/// All corpora together; they are read by people who clone this.
const MOST_BYTES: u64 = 300 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn holds_for_its_corpus(target: &str) {
    let corpus = folder().join("corpus").join(target);
    let names = names(&corpus);
    assert!(!names.is_empty(), "no corpus in {}", corpus.display());
    for name in names {
        // The name stands in the output of a test that fails.
        println!("{target}: {name}");
        run(target, &fs::read(corpus.join(name)).unwrap());
    }
}

macro_rules! corpora {
    ($($target:ident)+) => {
        $(
            #[test]
            fn $target() {
                holds_for_its_corpus(stringify!($target));
            }
        )+

        #[test]
        fn every_target_has_a_fuzzer_and_a_corpus_and_is_tried_here() {
            let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            let tried = [$(stringify!($target)),+].map(str::to_owned);
            assert_eq!(BTreeSet::from(tried), targets);
            assert_eq!(names(&folder().join("corpus")), targets);
            let fuzzers = names(&folder().join("fuzz_targets"));
            assert_eq!(fuzzers, targets.iter().map(|name| format!("{name}.rs")).collect());
        }
    };
}

corpora! {
    packet message hub_handshake camera_handshake session jpeg fragments mp4 matroska index range moment grant
    credentials datagram multipart pushed relay_control relay_frame
}

#[test]
fn the_corpora_stay_small() {
    let corpora = folder().join("corpus");
    let files = names(&corpora).into_iter().flat_map(|target| {
        let corpus = corpora.join(target);
        names(&corpus).into_iter().map(move |name| corpus.join(name))
    });
    let bytes: u64 = files.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(bytes <= MOST_BYTES, "{bytes} bytes");
}
