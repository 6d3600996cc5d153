//! What no compiler keeps: the order of the engine's modules, the size of files, and what may stand in stored types.
#![expect(clippy::disallowed_methods, reason = "reads the sources it checks")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Groups of modules; each may name those of its own group and of the groups before it.
const ORDER: &[&[&str]] = &[
    &["ids", "limits", "lookup", "text", "time", "words"],
    &["calendar", "forecast", "schedule"],
    &["command", "input", "source"],
    &["expr"],
    &["cmdb", "policy"],
    &["model"],
    &["event", "fact", "effect", "block"],
    &["state", "sight"],
    &["decide"],
    &["judge"],
    &["trace"],
    &["step"],
    &["trial"],
];

/// Lines that a file may have, its tests included. Beyond them nobody reads it from top to bottom.
const LINES_MAX: usize = 700;
/// Files that may be longer, each with its own bound and why. None.
const LONGER: &[(&str, usize)] = &[];

#[test]
fn no_module_of_the_engine_names_one_that_stands_after_it() {
    let mut faults = Vec::new();
    for file in rust_files("src/engine") {
        let path = module_path(&file);
        let Some(own) = path.first() else { continue };
        let Some(own_rank) = rank(own) else {
            faults.push(format!("{}: module `{own}` has no place in ORDER", file.name));
            continue;
        };
        for (line, named) in names_of_modules(&file, &path) {
            if rank(&named).is_some_and(|rank| rank > own_rank) {
                faults.push(format!("{}:{line}: `{own}` names `{named}`, which stands after it", file.name));
            }
        }
    }
    none(&faults);
}

#[test]
fn the_engine_lists_its_modules_in_the_order_in_which_they_may_know_each_other() {
    let root = File::read("src/engine/lib.rs");
    let listed: Vec<&str> = root.text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(listed.len() > 10, "lib.rs was read: {listed:?}");
    let ranks: Vec<usize> =
        listed.iter().map(|module| rank(module).unwrap_or_else(|| panic!("`{module}` has no place in ORDER"))).collect();
    assert!(ranks.is_sorted(), "lib.rs lists modules out of order: {listed:?}");
}

#[test]
fn every_path_that_the_map_names_is_there() {
    let map = File::read("ARCHITECTURE.md");
    let is_path = |word: &&str| word.contains('/') && word.chars().all(|c| c.is_ascii_lowercase() || "/._-".contains(c));
    let named: BTreeSet<&str> = map.text.split('`').skip(1).step_by(2).filter(is_path).collect();
    assert!(named.len() > 30, "the map was read: {named:?}");
    let missing: Vec<String> = named.iter().filter(|path| !root().join(path).exists()).map(|path| (*path).to_owned()).collect();
    none(&missing);
}

#[test]
fn no_judgement_calls_another() {
    let mut faults = Vec::new();
    for file in rust_files("src/engine/decide") {
        let path = module_path(&file);
        let Some(own) = path.get(1) else { continue };
        for (line, said) in code_lines(&file.text) {
            for other in judgements().iter().filter(|other| *other != own) {
                for rest in said.split(&format!("decide::{other}")).skip(1).chain(beside(said, &path, other)) {
                    if !only_types(rest) {
                        faults.push(format!("{}:{line}: `{own}` may know the types of `{other}`, nothing else", file.name));
                    }
                }
            }
        }
    }
    none(&faults);
}

#[test]
fn files_are_short_enough_to_be_read_and_say_first_what_they_are_for() {
    let mut faults = Vec::new();
    for file in ["src", "tests"].iter().flat_map(|folder| rust_files(folder)) {
        let lines = file.text.lines().count();
        let max = LONGER.iter().find(|(name, _)| *name == file.name).map_or(LINES_MAX, |(_, max)| *max);
        if lines > max {
            faults.push(format!("{}: {lines} lines, at most {max}: what in it is a matter of its own?", file.name));
        }
        if !file.text.is_empty() && !file.text.starts_with("//! ") {
            faults.push(format!("{}: the first line says what the file is for (`//! …`)", file.name));
        }
    }
    none(&faults);
}

/// An unknown variant under an `Option` is read as `None` without a word, so a store of a later version would lose it silently.
#[test]
fn no_stored_type_hides_an_enum_under_an_option() {
    let types: Vec<Stored> = rust_files("src/engine").iter().flat_map(stored_types).collect();
    assert!(types.len() > 40, "{} stored types were found", types.len());
    assert!(types.iter().any(|stored| stored.name == "Priority" && stored.kind == Kind::Enum), "the closed words were found");
    let mut variants: BTreeSet<&str> = types.iter().filter(|stored| stored.kind == Kind::Enum).map(|stored| stored.name.as_str()).collect();
    loop {
        let holders =
            types.iter().filter(|stored| words(&stored.body).any(|word| variants.contains(word))).map(|stored| stored.name.as_str());
        let grown: BTreeSet<&str> = variants.iter().copied().chain(holders).collect();
        if grown.len() == variants.len() {
            break;
        }
        variants = grown;
    }
    let mut faults = Vec::new();
    for stored in &types {
        for rest in stored.body.split("Option<").skip(1) {
            let inside = words(rest).next().unwrap_or_default();
            if variants.contains(inside) {
                faults.push(format!("{}: `{}` holds Option<{inside}>, and a variant is in it", stored.file, stored.name));
            }
        }
    }
    none(&faults);
}

#[test]
fn nothing_is_left_for_later_in_the_sources() {
    let words = ["TO", "FIX", "XX", "HA"].iter().zip(["DO", "ME", "X", "CK"]).map(|(start, end)| format!("{start}{end}"));
    let calls = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!"));
    let left: Vec<String> = words.chain(calls).chain(["#[ig".to_owned() + "nore"]).collect();
    let mut faults = Vec::new();
    for file in ["src", "tests", "rules", "templates", "cmdb", "deploy"].iter().flat_map(|folder| files(folder)) {
        for (number, line) in file.text.lines().enumerate() {
            for word in left.iter().filter(|word| says(line, word)) {
                faults.push(format!("{}:{}: {word}", file.name, number + 1));
            }
        }
    }
    none(&faults);
}

fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// A file of the repository, by its path from the root.
struct File {
    name: String,
    text: String,
}

impl File {
    fn read(name: &str) -> File {
        let path = root().join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        File { name: name.to_owned(), text }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All text files below a folder, in order. A folder that does not exist has none.
fn files(folder: &str) -> Vec<File> {
    let mut names = Vec::new();
    collect(&root().join(folder), folder, &mut names);
    names.sort();
    names.iter().filter(|name| !name.ends_with(".redb") && !name.ends_with(".png")).map(|name| File::read(name)).collect()
}

fn collect(path: &Path, name: &str, names: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let inner = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            // Databases of released formats are no text.
            if !inner.ends_with("fixtures/db") {
                collect(&entry.path(), &inner, names);
            }
        } else {
            names.push(inner);
        }
    }
}

fn rust_files(folder: &str) -> Vec<File> {
    files(folder).into_iter().filter(|file| file.name.ends_with(".rs")).collect()
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|group| group.contains(&module))
}

/// The modules that a file of the engine is, from the root of the crate: `decide/notify/mod.rs` is `decide`, `notify`.
fn module_path(file: &File) -> Vec<String> {
    let inner = file.name.trim_start_matches("src/engine/").trim_end_matches(".rs");
    inner.split('/').filter(|part| *part != "mod" && *part != "lib").map(str::to_owned).collect()
}

/// Lines with their numbers, without those that are comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(number, line)| (number + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The modules at the root of the crate that a file names, through `crate::` or as many `super::` as lead there.
fn names_of_modules(file: &File, path: &[String]) -> Vec<(usize, String)> {
    let up = "super::".repeat(path.len());
    let mut found = Vec::new();
    for (line, said) in code_lines(&file.text) {
        for start in ["crate::", up.as_str()] {
            for rest in said.split(start).skip(1) {
                let heads = rest.strip_prefix('{').map_or_else(|| vec![rest], |list| top_level(list));
                found.extend(heads.iter().filter_map(|head| words(head).next()).map(|word| (line, word.to_owned())));
            }
        }
    }
    found
}

/// The members of a `{…}` list of paths, whose own lists are left in one piece.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0_u32, 0, Vec::new());
    for (place, sign) in list.char_indices() {
        match sign {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(&list[start..place]);
                return members;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(&list[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    members.push(&list[start..]);
    members
}

/// The judgements: modules of `decide`.
fn judgements() -> BTreeSet<String> {
    rust_files("src/engine/decide").iter().filter_map(|file| module_path(file).get(1).cloned()).collect()
}

/// What follows a judgement's name where a sibling names it through `super::`.
fn beside<'a>(said: &'a str, path: &[String], other: &str) -> Vec<&'a str> {
    let up = format!("{}{other}", "super::".repeat(path.len() - 1));
    said.match_indices(&up).filter(|(at, _)| !said[..*at].ends_with("super::")).map(|(at, _)| &said[at + up.len()..]).collect()
}

/// Whether what follows a module's name only picks types out of it.
fn only_types(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix("::") else { return rest.starts_with(|next: char| next.is_alphanumeric() || next == '_') };
    let heads = rest.strip_prefix('{').map_or_else(|| vec![rest], |list| top_level(list));
    heads.iter().all(|head| head.trim_start().starts_with(|first: char| first.is_uppercase()))
}

/// Words made of letters, digits and underscores.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').filter(|word| !word.is_empty())
}

/// Whether a line holds a word that no letter stands before or after.
fn says(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[derive(PartialEq, Eq)]
enum Kind {
    Enum,
    Struct,
}

/// A type that is written to the store.
struct Stored {
    file: String,
    kind: Kind,
    name: String,
    body: String,
}

/// The types of a file that derive their encoding. The closed words come out of a macro, `words!( NAME { …`, and are enums.
fn stored_types(file: &File) -> Vec<Stored> {
    let code: Vec<&str> = code_lines(&file.text).map(|(_, line)| line).collect();
    let mut found = Vec::new();
    let mut encoded = false;
    for pair in code.windows(2).filter(|pair| pair[0].trim() == "words!(") {
        let name = words(pair[1]).next().unwrap_or_default().to_owned();
        found.push(Stored { file: file.name.clone(), kind: Kind::Enum, name, body: String::new() });
    }
    for (number, line) in code.iter().enumerate() {
        let line = line.trim();
        if line.starts_with("#[derive(") {
            encoded = words(line).any(|word| word == "Encode" || word == "Decode");
        } else if let Some((kind, name)) = declared(line) {
            if encoded {
                found.push(Stored { file: file.name.clone(), kind, name, body: body(&code[number..]) });
            }
            encoded = false;
        } else if !line.starts_with("#[") {
            encoded = encoded && line.is_empty();
        }
    }
    found
}

fn declared(line: &str) -> Option<(Kind, String)> {
    let mut words = line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    let kind = match words.next()? {
        "enum" => Kind::Enum,
        "struct" => Kind::Struct,
        _ => return None,
    };
    let name = words.next()?.split(|sign: char| !sign.is_alphanumeric()).next()?;
    (!name.is_empty()).then(|| (kind, name.to_owned()))
}

/// The text of a type's declaration after its name, to the brace or semicolon that ends it. Types alone: attributes are no part of it.
fn body(lines: &[&str]) -> String {
    let mut depth = BTreeMap::from([('{', 0_i32), ('(', 0)]);
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        let said = if number == 0 { line.split_once(['{', '(', ';']).map_or("", |(head, _)| &line[head.len()..]) } else { line };
        if said.trim_start().starts_with("#[") {
            continue;
        }
        for sign in said.chars() {
            match sign {
                '{' | '(' => *depth.entry(sign).or_default() += 1,
                '}' => *depth.entry('{').or_default() -= 1,
                ')' => *depth.entry('(').or_default() -= 1,
                _ => {}
            }
        }
        text.push_str(said);
        text.push('\n');
        if depth.values().all(|open| *open == 0) && said.contains(['}', ';', ')']) {
            break;
        }
    }
    text
}
