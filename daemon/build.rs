//! Makes cargo embed the web UI anew when it was built anew.

fn main() {
    let dist = std::path::Path::new("../web/dist");
    // Cargo would take a folder that is not there for one that always changes. Embedding works without it, so that a
    // source tree that can't be written to is no error.
    let _ = std::fs::create_dir_all(dist);
    println!("cargo::rerun-if-changed={}", dist.display());
}
