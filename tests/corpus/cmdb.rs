//! Topologies that others recorded.

use watchkeeper_engine::cmdb::{Cmdb, Inventory, files};
use watchkeeper_engine::source::SourceFile;

use super::folder;

/// The recorded topologies name their keys otherwise, and tell two names apart by case; they are written in ours before they are read.
#[test]
fn recorded_topologies_load() {
    let root = folder().join("topology/petshop/alerts");
    let mut read = 0;
    for set in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for issue in std::fs::read_dir(set).unwrap().map(|entry| entry.unwrap().path()) {
            let text = std::fs::read_to_string(issue.join("cmdb.yaml")).unwrap();
            let text = text
                .replace("- name:", "- id:")
                .replace("  type:", "  class:")
                .replace("{type: depends_on, target:", "{depends_on:")
                .replace("\"Servi-", "\"upper-servi-");
            let cmdb = Cmdb::build(files::read(&[SourceFile::new("cmdb.yaml", text)], &Inventory::default()).unwrap().0, 1);
            assert_eq!(cmdb.services().len(), cmdb.len());
            assert!(cmdb.len() > 10, "{issue:?}");
            read += 1;
        }
    }
    assert_eq!(read, 78);
}
