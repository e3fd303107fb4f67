//! Cells of tables: RFC 4180, and safe to open in a spreadsheet.

use serde_json::value::RawValue;

/// A text that a spreadsheet would take for a formula begins with one of these.
const FORMULA: [u8; 6] = [b'=', b'+', b'-', b'@', b'\t', b'\r'];

/// Appends a text as a cell. What a spreadsheet would take for a formula has an apostrophe before it.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let guarded = bytes.first().is_some_and(|first| FORMULA.contains(first));
    let quoted = bytes.is_empty() || bytes.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n'));
    if quoted {
        out.push(b'"');
    }
    if guarded {
        out.push(b'\'');
    }
    for byte in bytes {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    if quoted {
        out.push(b'"');
    }
}

/// Appends a JSON value as a cell: texts as themselves, `null` as nothing, lists and objects as their JSON.
pub(crate) fn write_value(value: &RawValue, out: &mut Vec<u8>) {
    let json = value.get();
    match json.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(json) {
            Ok(text) => write_text(&text, out),
            Err(_) => write_text(json, out),
        },
        Some(b'[' | b'{') => write_text(json, out),
        Some(b'n') | None => {}
        // Numbers and truth values are what they are.
        Some(_) => out.extend(json.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(json: &str) -> String {
        let value: Box<RawValue> = serde_json::from_str(json).expect("JSON");
        let mut out = Vec::new();
        write_value(&value, &mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn cells_hold_any_value_and_no_formula() {
        for (json, expected) in [
            ("null", ""),
            ("true", "true"),
            ("12.500", "12.500"),
            ("-3", "-3"),
            (r#""""#, r#""""#),
            (r#""Berlin 1""#, "Berlin 1"),
            (r#""Berlin, DE""#, r#""Berlin, DE""#),
            (r#""a \"b\"""#, r#""a ""b""""#),
            (r#""a\r\nb""#, "\"a\r\nb\""),
            (r#""=SUM(A1)""#, "'=SUM(A1)"),
            (r#""=HYPERLINK(\"x\",1)""#, r#""'=HYPERLINK(""x"",1)""#),
            (r#""+1""#, "'+1"),
            (r#""-web""#, "'-web"),
            (r#""@x""#, "'@x"),
            (r#""\tx""#, "'\tx"),
            (r#""\rx""#, "\"'\rx\""),
            (r#""a=b""#, "a=b"),
            (r#"{"site":"ber"}"#, r#""{""site"":""ber""}""#),
            ("[]", "[]"),
        ] {
            assert_eq!(cell(json), expected, "{json}");
        }
    }
}
