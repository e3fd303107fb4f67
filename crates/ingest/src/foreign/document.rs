use serde_json::{Deserializer, Value};

use super::NotJson;

/// The documents of a file: the elements of arrays, and values that follow one another. A broken line among readable
/// ones is an error by itself.
pub(super) fn documents(text: &[u8]) -> Result<Vec<Result<Value, String>>, NotJson> {
    // Tools of Windows begin files with a mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let whole: Result<Vec<Value>, _> = Deserializer::from_slice(text).into_iter().collect();
    let error = match whole {
        Ok(values) => return Ok(values.into_iter().flat_map(elements).map(Ok).collect()),
        Err(error) => error,
    };
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let mut documents = Vec::new();
    for (index, line) in lines {
        match serde_json::from_slice(line) {
            Ok(value) => documents.extend(elements(value).into_iter().map(Ok)),
            Err(error) => documents.push(Err(format!("line {} is not JSON: {error}", index + 1))),
        }
    }
    if documents.iter().any(Result::is_ok) { Ok(documents) } else { Err(NotJson(error.to_string())) }
}

fn elements(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        value => vec![value],
    }
}
