//! Lists the shipped templates, so that a new one is a file and nothing else.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    let folder = Path::new(&root).join("templates");
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed=build.rs");
    let entries = fs::read_dir(&folder).expect("templates/ is part of the package");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry of templates/").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "hbs"));
    paths.sort();
    let mut list = String::from("static FILES: &[(&str, &str)] = &[\n");
    for path in &paths {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a template's name is ASCII");
        writeln!(list, "    ({name:?}, include_str!({:?})),", path.display().to_string()).expect("a string takes it");
    }
    list.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").expect("cargo gives it")).join("templates.rs"), list).expect("OUT_DIR is writable");
}
