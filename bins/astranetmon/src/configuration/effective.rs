use serde_json::Value;

use super::Settings;
use super::setting::SETTINGS;

/// The settings as a TOML file in the order of [`SETTINGS`]; `source` says where a setting came from, if it was set.
/// What is written is accepted again as a file, but for hidden passwords.
pub(super) fn render(settings: &Settings, source: impl Fn(&str) -> Option<String>) -> String {
    let values = serde_json::to_value(settings).unwrap_or_default();
    let mut text = String::new();
    let mut table = "";
    for setting in SETTINGS {
        let (in_table, key) = setting.name.split_once('.').unwrap_or(("", setting.name));
        if in_table != table {
            table = in_table;
            text.push_str(&format!("\n[{table}]\n"));
        }
        let source = source(setting.name).unwrap_or_else(|| "default".to_owned());
        let pointer = format!("/{}", setting.name.replace('.', "/"));
        // Strings, numbers, booleans and lists of strings are written the same in JSON and in TOML.
        match values.pointer(&pointer).filter(|value| **value != Value::Null) {
            Some(value) => text.push_str(&format!("{key} = {value} # {source}\n")),
            None => text.push_str(&format!("# {key} is not set\n")),
        }
    }
    text
}
