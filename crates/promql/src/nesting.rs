//! Trees are walked by functions that call themselves: what is too deep would run out of stack.

use crate::ParseError;

/// Operators, brackets and commas of a query, each of which may make its tree one deeper.
const MOST_MARKS: usize = 200;
const MOST_WORDS: usize = 400;

/// Refuses a text whose tree may be too deep, by what stands outside of its strings and comments.
pub(crate) fn refuse_deep(text: &str) -> Result<(), ParseError> {
    let (mut marks, mut words) = (0, 0);
    let mut in_word = false;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let belongs = letter.is_alphanumeric() || matches!(letter, '_' | ':' | '.');
        words += usize::from(belongs && !in_word);
        in_word = belongs;
        match letter {
            '"' | '\'' => {
                while let Some(inside) = letters.next() {
                    match inside {
                        '\\' => _ = letters.next(),
                        inside if inside == letter => break,
                        _ => {}
                    }
                }
            }
            '`' => _ = letters.find(|inside| *inside == '`'),
            '#' => _ = letters.find(|inside| *inside == '\n'),
            '(' | '[' | '{' | '+' | '-' | '*' | '/' | '%' | '^' | '=' | '!' | '<' | '>' | '@' => marks += 1,
            _ => {}
        }
    }
    if marks > MOST_MARKS || words > MOST_WORDS {
        return Err(ParseError("the query has too many operators and brackets".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Query;

    #[test]
    fn deep_queries_are_refused_and_those_at_the_bound_are_answered() {
        for (open, close) in [("(", ")"), ("-", ""), ("abs(", ")"), ("sum(", ")"), ("max_over_time(", "[1m:1m])")] {
            let nested = |depth: usize| format!("{}up{}", open.repeat(depth), close.repeat(depth));
            let most = super::MOST_MARKS / (1 + close.matches('[').count());
            assert!(Query::parse(&nested(most)).is_ok(), "{open}");
            assert!(Query::parse(&nested(most + 1)).is_err(), "{open}");
        }
        for operator in [" + ", " or ", " > "] {
            let chain = |length: usize| vec!["up"; length].join(operator);
            assert!(Query::parse(&chain(190)).is_ok(), "{operator}");
            assert!(Query::parse(&chain(2_000)).is_err(), "{operator}");
        }
    }

    #[test]
    fn what_stands_in_strings_and_comments_nests_nothing() {
        let long = "((((".repeat(500);
        for text in [
            format!("up{{a=\"{long}\"}}"),
            format!("up{{a='\\'{long}'}}"),
            format!("up{{a=`{long}`}}"),
            format!("up # {long}\n + 1"),
        ] {
            assert!(Query::parse(&text).is_ok(), "{text}");
        }
    }
}
