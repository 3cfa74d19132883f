//! Comparing large JSON values so that a failure shows the first difference and not everything.

use serde_json::Value;

/// Lines shown around the first difference.
const NEAR: usize = 12;

/// Fails unless both are equal.
pub fn assert_same(left: &Value, right: &Value, what: &str) {
    if left == right {
        return;
    }
    let pretty = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
    let (left, right) = (pretty(left), pretty(right));
    let at = left.lines().zip(right.lines()).position(|(a, b)| a != b).unwrap_or_default();
    let near = |text: &str| text.lines().skip(at.saturating_sub(NEAR)).take(2 * NEAR).collect::<Vec<_>>().join("\n");
    panic!("{what}: from line {at} on\n{}\nis not\n{}", near(&left), near(&right));
}
