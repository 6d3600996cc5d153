//! The folders that operators edit, read into memory: bounded, in a fixed order, and never an accident taken for a wish.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::string::FromUtf8Error;

use watchkeeper_engine::cmdb::files::{FILES, Source};
use watchkeeper_engine::limits::SOURCE_BYTES_MAX;
use watchkeeper_engine::source::{Diagnostic, SourceFile};

use super::imports::Import;
use super::kind::{Confirmed, Kind, Stamp};
use crate::config::{Files, Folder, Named};
use crate::diagnostics::Findings;

/// Files of one folder. More are refused: a folder of that size is not one that somebody edits.
const FILES_MAX: usize = 10_000;
/// Bytes of one folder's files, all together.
const FOLDER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Folders in folders. Deeper ones are refused, which also ends a link that leads back up.
const DEPTH_MAX: usize = 16;

/// Everything that operators edit, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// Rule files, by path.
    pub rules: Vec<SourceFile>,
    /// Templates, by path, without their folder's name: it is what rules call them.
    pub templates: Vec<SourceFile>,
    /// CMDB files, by path.
    pub cmdb: Vec<SourceFile>,
    /// What other sources of the CMDB brought, by their names. No folder holds it; a reload leaves it as it is.
    pub imports: Vec<Import>,
    /// Folders and files that cannot be read or may not be taken: building reports them beside the faults of all others. A file that is not UTF-8 is in the
    /// lists above all the same, as far as it can be read.
    pub faults: Findings,
    /// The kinds of which not everything could be looked at, so that what they name is not known whole.
    pub unseen: BTreeSet<Kind>,
}

impl Sources {
    /// The files of a kind.
    pub fn of(&self, kind: Kind) -> &[SourceFile] {
        match kind {
            Kind::Rules => &self.rules,
            Kind::Templates => &self.templates,
            Kind::Cmdb => &self.cmdb,
        }
    }

    /// Reads the three folders, and takes over the imports. `before` is what is in force: a folder that has lost all its files since is a fault unless that is
    /// confirmed.
    pub fn read(files: &Files, before: &Sources, confirmed: Confirmed) -> Sources {
        let (mut faults, mut unseen) = (Findings::default(), BTreeSet::new());
        let mut read = |kind: Kind| {
            let mut reading = FolderReading::of(kind.folder(files), kind);
            reading.read(before.of(kind), confirmed);
            unseen.extend((!reading.unseen.found.is_empty()).then_some(kind));
            faults.extend(reading.unseen);
            faults.extend(reading.not_text);
            reading.files
        };
        let (rules, templates, cmdb) = (read(Kind::Rules), read(Kind::Templates), read(Kind::Cmdb));
        Sources { rules, templates, cmdb, imports: before.imports.clone(), faults, unseen }
    }

    /// Every source of the CMDB.
    pub(super) fn of_cmdb(&self) -> Vec<Source<'_>> {
        let imports = self.imports.iter().map(|import| Source { name: &import.source, files: std::slice::from_ref(&import.file) });
        std::iter::once(Source { name: FILES, files: &self.cmdb }).chain(imports).collect()
    }

    /// The same with another document of one source.
    pub(super) fn with(&self, import: &Import) -> Sources {
        let mut sources = self.clone();
        sources.imports.retain(|known| known.source != import.source);
        sources.imports.push(import.clone());
        sources.imports.sort_by(|a, b| a.source.cmp(&b.source));
        sources
    }

    /// The same without empty documents: that is how a source ends.
    pub(super) fn without_empty(mut self) -> Sources {
        self.imports.retain(|import| !import.file.text.trim().is_empty());
        self
    }
}

/// What the folders look like without reading their files: to notice changes that no event tells of.
pub(super) fn stamp(files: &Files) -> Stamp {
    let mut stamps = Vec::new();
    for kind in Kind::ALL {
        let mut paths = Vec::new();
        // What cannot be listed looks like nothing; the reload that follows says why.
        walk(kind.folder(files), kind, &mut paths).ok();
        paths.sort();
        stamps.extend(paths.into_iter().map(|path| {
            let metadata = fs::metadata(&path).ok();
            let modified = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
            (path, modified, metadata.map_or(0, |metadata| metadata.len()))
        }));
    }
    stamps
}

struct FolderReading<'f> {
    folder: &'f Folder,
    kind: Kind,
    files: Vec<SourceFile>,
    /// What could not be looked at.
    unseen: Findings,
    not_text: Findings,
}

impl<'f> FolderReading<'f> {
    fn of(folder: &'f Folder, kind: Kind) -> Self {
        FolderReading { folder, kind, files: Vec::new(), unseen: Findings::default(), not_text: Findings::default() }
    }

    fn read(&mut self, before: &[SourceFile], confirmed: Confirmed) {
        let path = &self.folder.path;
        let mut paths = Vec::new();
        match walk(self.folder, self.kind, &mut paths) {
            Ok(()) => {}
            Err(fault) if fault.source.kind() == io::ErrorKind::NotFound && fault.path == *path => {
                if self.folder.named == Named::Explicitly || !before.is_empty() {
                    return self.fault(path, "there is no such folder".to_owned(), &missing_help(before));
                }
            }
            Err(fault) => return self.fault(&fault.path, fault.source.to_string(), "make it readable for the daemon's user"),
        }
        if paths.len() > FILES_MAX {
            return self.fault(path, format!("it holds more than {FILES_MAX} files"), "divide it or clean it up");
        }
        if paths.is_empty() && !before.is_empty() && self.kind != Kind::Templates && confirmed == Confirmed::No {
            let message = format!("it holds no files any more, and {} are in force", before.len());
            let help = "to run without any, confirm it (`watchkeeper reload --confirm`), or leave one empty file there";
            return self.fault(path, message, help);
        }
        paths.sort();
        let mut bytes = 0;
        for path in paths {
            if let Some(file) = self.read_file(&path) {
                if confirmed == Confirmed::No
                    && before.iter().any(|known| known.path == file.path && ends_marked(known) && !ends_marked(&file))
                {
                    let message = "it ends without `...`, with which the one in force ends: it may have been cut off".to_owned();
                    self.fault(
                        &path,
                        message,
                        "write the whole file; or confirm that the line is left out (`watchkeeper reload --confirm`)",
                    );
                }
                bytes += file.text.len();
                self.files.push(file);
            }
            if bytes > FOLDER_BYTES_MAX {
                let message = format!("its files hold more than {} MiB", FOLDER_BYTES_MAX >> 20);
                return self.fault(&self.folder.path, message, "divide it or clean it up");
            }
        }
    }

    fn read_file(&mut self, path: &Path) -> Option<SourceFile> {
        let read = match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => return self.refuse(path, "it is no file".to_owned(), "put it elsewhere"),
            Ok(metadata) if metadata.len() > SOURCE_BYTES_MAX as u64 => {
                let message = format!("it has {} bytes, more than {SOURCE_BYTES_MAX}", metadata.len());
                return self.refuse(path, message, "divide it into several files");
            }
            Ok(_) | Err(_) => fs::read(path),
        };
        match read.map(String::from_utf8) {
            Ok(Ok(text)) => Some(SourceFile::new(self.name(path), text)),
            Ok(Err(fault)) => Some(self.not_text(path, &fault)),
            Err(error) => self.refuse(path, error.to_string(), "make it readable for the daemon's user"),
        }
    }

    /// What stands for a file that is not UTF-8, so that what it names is not missed elsewhere.
    fn not_text(&mut self, path: &Path, fault: &FromUtf8Error) -> SourceFile {
        let at = fault.utf8_error().valid_up_to();
        let file = SourceFile::new(self.name(path), String::from_utf8_lossy(fault.as_bytes()));
        let byte = fault.as_bytes().get(at).copied().unwrap_or_default();
        let message = format!("byte {at} (0x{byte:02x}) is not UTF-8");
        let place = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
        let shown = match self.kind {
            Kind::Templates => SourceFile::new(format!("templates/{}", file.path), file.text.as_str()),
            Kind::Rules | Kind::Cmdb => file.clone(),
        };
        self.not_text.found.push(Diagnostic::error(&shown, &place, message).help("save the file as UTF-8"));
        self.not_text.files.push(shown);
        file
    }

    /// What findings call a file: its folder's name and its path below, `/` between the parts.
    fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.folder.path).unwrap_or(path);
        let parts = below.components().map(|part| part.as_os_str().to_string_lossy());
        let folder = self.folder.path.file_name().map(|name| name.to_string_lossy()).filter(|_| self.kind != Kind::Templates);
        folder.into_iter().chain(parts).collect::<Vec<_>>().join("/")
    }

    fn refuse(&mut self, path: &Path, message: String, help: &str) -> Option<SourceFile> {
        self.fault(path, message, help);
        None
    }

    fn fault(&mut self, path: &Path, message: String, help: &str) {
        let file = SourceFile::new(path.display().to_string(), "");
        self.unseen.found.push(Diagnostic::error(&file, &(0..0), message).help(help));
        self.unseen.files.push(file);
    }
}

/// Whether a file says itself where it ends: with YAML's end of a document, on a line of its own.
fn ends_marked(file: &SourceFile) -> bool {
    file.text.lines().map(str::trim_end).rfind(|line| !line.is_empty()) == Some("...")
}

fn missing_help(before: &[SourceFile]) -> String {
    match before.len() {
        0 => "create it (an empty one will do), or name another in [files]".to_owned(),
        n => format!("bring it back: the {n} files that it held are in force; an empty folder is taken when that is confirmed"),
    }
}

struct WalkFault {
    path: PathBuf,
    source: io::Error,
}

/// Finds the files of a kind. Hidden ones are left out: editors' swap files, and the `..data` of a mounted ConfigMap, whose files are linked beside it.
fn walk(folder: &Folder, kind: Kind, paths: &mut Vec<PathBuf>) -> Result<(), WalkFault> {
    let file_system = fs::metadata(&folder.path).map(|metadata| metadata.dev()).ok().filter(|_| folder.named == Named::Alone);
    walk_below(&folder.path, kind, file_system, 0, paths)
}

/// As [`walk`], on one file system where one is given.
fn walk_below(folder: &Path, kind: Kind, file_system: Option<u64>, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), WalkFault> {
    let fault = |source| WalkFault { path: folder.to_owned(), source };
    if depth > DEPTH_MAX {
        return Err(fault(io::Error::other(format!("folders lie more than {DEPTH_MAX} deep here, perhaps by a link that leads back up"))));
    }
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            let is_elsewhere = file_system.is_some() && fs::metadata(&path).map(|metadata| metadata.dev()).ok() != file_system;
            if !is_elsewhere {
                walk_below(&path, kind, file_system, depth + 1, paths)?;
            }
        } else if path.extension().is_some_and(|extension| kind.extensions().iter().any(|known| extension == *known)) {
            paths.push(path);
        }
        if paths.len() > FILES_MAX {
            break;
        }
    }
    Ok(())
}
