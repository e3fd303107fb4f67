//! For plan tests: a query of diesel's as one text, its values put in, so that the database can explain it.

/// How a back end writes the place of a value.
#[derive(Clone, Copy)]
pub(crate) enum Placeholder {
    /// `?`, one after the other.
    Question,
    /// `$1`, `$2`, …
    Dollar,
}

/// From diesel's debug form, `SQL -- binds: [values]`.
pub(crate) fn bound_sql(debug: &str, placeholder: Placeholder) -> String {
    let (sql, binds) = debug.split_once(" -- binds: ").expect("diesel's debug form");
    let inner = binds.strip_prefix('[').and_then(|binds| binds.strip_suffix(']')).expect("a list of values");
    let values = literals(inner, placeholder);
    match placeholder {
        Placeholder::Question => {
            let mut values = values.into_iter();
            sql.split('?')
                .enumerate()
                .map(|(part, text)| if part == 0 { text.to_owned() } else { values.next().expect("a value") + text })
                .collect()
        }
        Placeholder::Dollar => values
            .iter()
            .enumerate()
            .rev()
            .fold(sql.to_owned(), |sql, (index, value)| sql.replace(&format!("${}", index + 1), value)),
    }
}

/// Numbers as they are, text quoted and lists of it too, any bytes as one byte: plans do not depend on them.
fn literals(list: &str, placeholder: Placeholder) -> Vec<String> {
    let mut literals = Vec::new();
    let mut depth = 0;
    let mut value = String::new();
    for c in list.chars().chain([',']) {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            ',' if depth == 0 => {
                let text = value.trim();
                literals.push(match (text.strip_prefix('"'), placeholder) {
                    (Some(quoted), _) => format!("'{}'", quoted.trim_end_matches('"')),
                    (None, Placeholder::Question) if text.starts_with('[') => "x'00'".to_owned(),
                    (None, Placeholder::Dollar) if text.starts_with("[\"") => {
                        format!("ARRAY{}::text[]", text.replace('"', "'"))
                    }
                    (None, Placeholder::Dollar) if text.starts_with('[') => "'\\x00'::bytea".to_owned(),
                    (None, _) => text.to_owned(),
                });
                value.clear();
                continue;
            }
            _ => {}
        }
        value.push(c);
    }
    literals
}
