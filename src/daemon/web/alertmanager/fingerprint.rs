//! The hash by which Alertmanager names an alert: FNV-1a of 64 bits over its sorted labels, each name and value followed by a byte that no UTF-8 holds.
//!
//! Shown, never relied on: the engine compares identities by their bytes.

use watchkeeper_engine::text::Labels;

const OFFSET: u64 = 14_695_981_039_346_656_037;
const PRIME: u64 = 1_099_511_628_211;
const SEPARATOR: u8 = 255;

/// The fingerprint of a label set: sixteen hexadecimal digits.
pub fn of(labels: &Labels) -> String {
    let mut hash = OFFSET;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    };
    for (name, value) in labels.iter() {
        add(name.as_bytes());
        add(&[SEPARATOR]);
        add(value.as_bytes());
        add(&[SEPARATOR]);
    }
    format!("{hash:016x}")
}
