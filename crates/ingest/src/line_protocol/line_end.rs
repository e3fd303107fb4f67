/// Where the line that begins here ends: the place of its line feed, or the end of the body. Line feeds inside strings
/// do not end it. `false` if a string is not closed.
pub(super) fn line_end(bytes: &[u8]) -> (usize, bool) {
    let mut at = 0;
    let mut in_fields = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\n' => return (at, true),
            b'\\' if matches!(bytes.get(at + 1), Some(b',' | b'=' | b' ')) => at += 2,
            b' ' => {
                in_fields = true;
                at += 1;
            }
            b'=' if in_fields && bytes.get(at + 1) == Some(&b'"') => match string_end(&bytes[at + 2..]) {
                Some(length) => at += 2 + length + 1,
                None => return (bytes.len(), false),
            },
            _ => at += 1,
        }
    }
    (bytes.len(), true)
}

/// Length of a string's content: where its closing quote stands. `None` if there is none.
pub(super) fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}
