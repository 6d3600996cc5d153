//! The key of links: made with the store, kept, and for nobody else's eyes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use watchkeeper_store::{LinkKey, StoreError};

use crate::support::{folder, init, open};

#[test]
fn the_key_of_links_is_made_with_the_store_readable_by_its_user_alone_and_stays() {
    let (one, two) = (folder(), folder());
    let store = init(one.path());
    let path = LinkKey::path(one.path());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let key = store.link_key().unwrap();
    drop(store);
    assert_eq!(open(one.path()).unwrap().link_key().unwrap(), key, "over a restart");
    assert_ne!(init(two.path()).link_key().unwrap(), key, "each store has its own");
    let digits = fs::read_to_string(&path).unwrap();
    assert!(!format!("{key:?}").contains(digits.trim()), "it is not printed");
    assert!(key.expose().iter().any(|byte| *byte != 0));
}

#[test]
fn a_key_that_is_gone_is_made_anew_and_one_that_is_none_is_refused_with_what_helps() {
    let dir = folder();
    let store = init(dir.path());
    let path = LinkKey::path(dir.path());
    let before = store.link_key().unwrap();
    fs::remove_file(&path).unwrap();
    assert_ne!(store.link_key().unwrap(), before);
    for text in ["", "0123", &"g".repeat(64), &"0".repeat(65)] {
        fs::write(&path, text).unwrap();
        let error = store.link_key().unwrap_err();
        assert!(matches!(error, StoreError::BadLinkKey { .. }) && error.to_string().contains("remove it: a new one is made"), "{error}");
    }
}
