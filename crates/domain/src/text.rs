/// Cleans text that came from an agent or another host: control characters (C0, C1, and the Unicode line and
/// direction controls that can disguise text) go, and at most `max_chars` characters stay.
#[must_use]
pub fn clean_text(text: &str, max_chars: usize) -> String {
    text.chars().filter(|&c| !is_control(c)).take(max_chars).collect()
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::clean_text;

    #[test]
    fn control_characters_go_and_length_is_bounded() {
        assert_eq!(clean_text("a\u{1b}[31mb\nc\u{202e}d", 64), "a[31mbcd");
        assert_eq!(clean_text("äöü", 2), "äö");
    }
}
