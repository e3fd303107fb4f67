//! The document in the words of OpenAPI 3.0, for generators that read no later version.
//!
//! Nothing is left out silently. What 3.0 says in another way is said so; remarks that it has no word for stay as
//! extensions, `x-` before their name; a keyword that decides what is valid and cannot be said is refused by name.

use serde_json::{Map, Value, json};

/// What 3.0 cannot say: where it stands in the document, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("OpenAPI 3.0 cannot say {pointer}: {reason}")]
pub struct Unsayable {
    /// A JSON pointer to the object it stands in.
    pub pointer: String,
    /// The keyword, and what is wrong with it.
    pub reason: String,
}

type Object = Map<String, Value>;
type Rendered<T = Value> = Result<T, Unsayable>;

/// Keywords of a schema that mean the same in both versions and hold no schema.
const UNCHANGED: [&str; 22] = [
    "default",
    "deprecated",
    "description",
    "discriminator",
    "enum",
    "example",
    "externalDocs",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "readOnly",
    "required",
    "title",
    "uniqueItems",
];

/// Renders a document of OpenAPI 3.1 as one of 3.0.3.
///
/// # Errors
/// The first thing that 3.0 cannot say.
pub(super) fn version_3_0(document: &Value) -> Rendered {
    let root = Place(String::new());
    let mut rendered = root.object(document)?.clone();
    root.refuse(&rendered, &["jsonSchemaDialect", "webhooks"])?;
    rendered.insert("openapi".to_owned(), json!("3.0.3"));
    if let Some(info) = rendered.get_mut("info").and_then(Value::as_object_mut) {
        as_extension(info, "summary");
    }
    if let Some(license) = rendered.get_mut("info").and_then(|info| info.get_mut("license")) {
        as_extension(root.at("info").at("license").object_mut(license)?, "identifier");
    }
    let schemes = rendered.get("components").and_then(|components| components.get("securitySchemes")).cloned();
    root.each(&mut rendered, "paths", |place, path| place.path(path, schemes.as_ref()))?;
    root.one(&mut rendered, "components", |place, components| {
        let components = place.object_mut(components)?;
        place.refuse(components, &["pathItems"])?;
        place.each(components, "schemas", |place, schema| place.schema(schema))?;
        place.each(components, "responses", |place, response| place.response(response))?;
        place.each(components, "requestBodies", |place, body| place.described(body))?;
        place.each(components, "parameters", |place, parameter| place.described(parameter))?;
        place.each(components, "headers", |place, header| place.described(header))
    })?;
    let mut rendered = Value::Object(rendered);
    // Whether maps keep an order of their own, some crate of the program decides.
    rendered.sort_all_objects();
    Ok(rendered)
}

/// Keeps a remark that 3.0 has no word for under a name that is free.
fn as_extension(object: &mut Object, keyword: &str) {
    if let Some(value) = object.remove(keyword) {
        object.insert(format!("x-{keyword}"), value);
    }
}

/// Where in the document the rendering is, as a JSON pointer.
struct Place(String);

impl Place {
    fn at(&self, name: &str) -> Self {
        Self(format!("{}/{}", self.0, name.replace('~', "~0").replace('/', "~1")))
    }

    fn unsayable(&self, reason: impl Into<String>) -> Unsayable {
        Unsayable { pointer: self.0.clone(), reason: reason.into() }
    }

    fn object<'v>(&self, value: &'v Value) -> Rendered<&'v Object> {
        value.as_object().ok_or_else(|| self.unsayable("it is not an object"))
    }

    fn object_mut<'v>(&self, value: &'v mut Value) -> Rendered<&'v mut Object> {
        value.as_object_mut().ok_or_else(|| self.unsayable("it is not an object"))
    }

    fn refuse(&self, object: &Object, keywords: &[&str]) -> Rendered<()> {
        match keywords.iter().find(|keyword| object.contains_key(**keyword)) {
            Some(keyword) => Err(self.unsayable(format!("it has no `{keyword}`"))),
            None => Ok(()),
        }
    }

    /// Renders what stands under `name`, if something does.
    fn one(
        &self,
        object: &mut Object,
        name: &str,
        render: impl FnOnce(&Self, &mut Value) -> Rendered<()>,
    ) -> Rendered<()> {
        object.get_mut(name).map_or(Ok(()), |value| render(&self.at(name), value))
    }

    /// Renders every element of the list or the map under `name`, if there is one.
    fn each(
        &self,
        object: &mut Object,
        name: &str,
        render: impl Fn(&Self, &mut Value) -> Rendered<()>,
    ) -> Rendered<()> {
        let place = self.at(name);
        match object.get_mut(name) {
            None => Ok(()),
            Some(Value::Array(values)) => values
                .iter_mut()
                .enumerate()
                .try_for_each(|(index, value)| render(&place.at(&index.to_string()), value)),
            Some(Value::Object(values)) => {
                values.iter_mut().try_for_each(|(name, value)| render(&place.at(name), value))
            }
            Some(_) => Err(place.unsayable("it is neither a list nor a map")),
        }
    }

    fn path(&self, path: &mut Value, schemes: Option<&Value>) -> Rendered<()> {
        let path = self.object_mut(path)?;
        for method in ["get", "put", "post", "delete", "options", "head", "patch", "trace"] {
            self.one(path, method, |place, operation| place.operation(operation, schemes))?;
        }
        self.each(path, "parameters", |place, parameter| place.described(parameter))
    }

    fn operation(&self, operation: &mut Value, schemes: Option<&Value>) -> Rendered<()> {
        let operation = self.object_mut(operation)?;
        self.each(operation, "parameters", |place, parameter| place.described(parameter))?;
        self.one(operation, "requestBody", |place, body| place.described(body))?;
        self.each(operation, "responses", |place, response| place.response(response))?;
        // What the service calls is described in the same way.
        self.each(operation, "callbacks", |place, callback| {
            let paths = place.object_mut(callback)?;
            paths.iter_mut().try_for_each(|(url, path)| place.at(url).path(path, schemes))
        })?;
        let said = operation.get("x-required-permission").cloned();
        self.each(operation, "security", |place, requirement| {
            for (scheme, roles) in place.object_mut(requirement)? {
                let kind = schemes.and_then(|schemes| schemes.get(scheme)).and_then(|scheme| scheme.get("type"));
                let has_scopes = matches!(kind.and_then(Value::as_str), Some("oauth2" | "openIdConnect"));
                // In 3.0 only these two have a list. What the list said stands in the extension.
                let unsaid = roles.as_array().is_none_or(|roles| roles.iter().any(|role| Some(role) != said.as_ref()));
                if !has_scopes && unsaid {
                    return Err(place.unsayable(format!("the roles of `{scheme}` are not its `x-required-permission`")));
                }
                if !has_scopes {
                    *roles = json!([]);
                }
            }
            Ok(())
        })
    }

    fn response(&self, response: &mut Value) -> Rendered<()> {
        self.described(response)?;
        self.each(self.object_mut(response)?, "headers", |place, header| place.described(header))
    }

    /// A parameter, header or body: what has a schema, or one for each of its media types, or stands elsewhere.
    fn described(&self, value: &mut Value) -> Rendered<()> {
        let object = self.object_mut(value)?;
        if object.contains_key("$ref") && object.len() > 1 {
            return Err(self.unsayable("nothing stands beside a `$ref`"));
        }
        self.one(object, "schema", |place, schema| place.schema(schema))?;
        self.each(object, "content", |place, media| {
            let media = place.object_mut(media)?;
            place.one(media, "schema", |place, schema| place.schema(schema))?;
            place.each(media, "encoding", |place, encoding| {
                place.each(place.object_mut(encoding)?, "headers", |place, header| place.described(header))
            })
        })
    }

    fn schema(&self, schema: &mut Value) -> Rendered<()> {
        match schema {
            Value::Bool(true) => *schema = json!({}),
            Value::Bool(false) => *schema = json!({ "not": {} }),
            _ => {
                let object = std::mem::take(self.object_mut(schema)?);
                *schema = Value::Object(self.schema_object(object)?);
            }
        }
        Ok(())
    }

    fn schema_object(&self, mut schema: Object) -> Rendered<Object> {
        let mut nullable = self.without_null(&mut schema)?;
        self.put_aside_reference(&mut schema, nullable)?;
        let mut rendered = Object::new();
        for (bound, exclusive) in [("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")] {
            if is_exclusive(&mut schema, bound, exclusive) {
                rendered.insert(exclusive.to_owned(), json!(true));
            }
        }
        for (keyword, mut value) in schema {
            match keyword.as_str() {
                "type" => {
                    let (kind, with_null) = self.one_type(&value)?;
                    nullable |= with_null;
                    rendered.insert(keyword, kind);
                }
                "const" => {
                    rendered.insert("enum".to_owned(), json!([value]));
                }
                "examples" => {
                    let several = value.as_array().is_some_and(|values| values.len() > 1);
                    if let Some(first) = value.get(0) {
                        rendered.entry("example").or_insert_with(|| first.clone());
                    }
                    if several {
                        rendered.insert("x-examples".to_owned(), value);
                    }
                }
                "contentEncoding" if value == "base64" => {
                    rendered.insert("format".to_owned(), json!("byte"));
                }
                "contentMediaType" if value == "application/octet-stream" => {
                    rendered.insert("format".to_owned(), json!("binary"));
                }
                // Names are texts in any case.
                "propertyNames" if value == json!({ "type": "string" }) => {}
                "$comment" => {
                    rendered.insert("x-comment".to_owned(), value);
                }
                "additionalProperties" if value.is_boolean() => {
                    rendered.insert(keyword, value);
                }
                "additionalProperties" | "items" | "not" => {
                    self.at(&keyword).schema(&mut value)?;
                    rendered.insert(keyword, value);
                }
                "properties" | "allOf" | "anyOf" | "oneOf" => {
                    let mut holder = Object::from_iter([(keyword.clone(), value)]);
                    self.each(&mut holder, &keyword, |place, schema| place.schema(schema))?;
                    rendered.append(&mut holder);
                }
                "$ref" => {
                    rendered.insert(keyword, value);
                }
                _ if UNCHANGED.contains(&keyword.as_str()) || keyword.starts_with("x-") => {
                    rendered.insert(keyword, value);
                }
                _ => return Err(self.unsayable(format!("it has no `{keyword}` of {value}"))),
            }
        }
        if nullable {
            rendered.insert("nullable".to_owned(), json!(true));
            // Of what is enumerated, `null` is one.
            if let Some(values) = rendered.get_mut("enum").and_then(Value::as_array_mut)
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
        }
        Ok(rendered)
    }

    /// Takes `null` from the choices of a `oneOf` or `anyOf`; whether it was there.
    fn without_null(&self, schema: &mut Object) -> Rendered<bool> {
        let null = json!({ "type": "null" });
        for keyword in ["oneOf", "anyOf"] {
            let Some(choices) = schema.get_mut(keyword).and_then(Value::as_array_mut) else { continue };
            let all = choices.len();
            choices.retain(|choice| *choice != null);
            if choices.len() == all {
                continue;
            }
            // A single one left is no choice any more: what it says is said of the schema itself.
            if let [Value::Object(only)] = choices.as_mut_slice() {
                let only = std::mem::take(only);
                schema.remove(keyword);
                for (name, value) in only {
                    if schema.insert(name.clone(), value).is_some() {
                        return Err(self.unsayable(format!("`{name}` stands within `{keyword}` and beside it")));
                    }
                }
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// In 3.0 whatever stands beside a `$ref` is ignored; within `allOf` the reference stands alone.
    fn put_aside_reference(&self, schema: &mut Object, nullable: bool) -> Rendered<()> {
        if (schema.len() > 1 || nullable)
            && let Some(reference) = schema.remove("$ref")
            && schema.insert("allOf".to_owned(), json!([{ "$ref": reference }])).is_some()
        {
            return Err(self.unsayable("`$ref` stands beside `allOf`"));
        }
        Ok(())
    }

    /// The one type of a schema, and whether it may be `null` too.
    fn one_type(&self, types: &Value) -> Rendered<(Value, bool)> {
        let all: Vec<&Value> = types.as_array().map_or_else(|| vec![types], |types| types.iter().collect());
        let with_null = all.contains(&&json!("null"));
        let others: Vec<&Value> = all.into_iter().filter(|kind| **kind != json!("null")).collect();
        match others.as_slice() {
            [kind] => Ok(((*kind).clone(), with_null)),
            _ => Err(self.unsayable(format!("it has one type, not {types}"))),
        }
    }
}

/// Makes of an exclusive bound a bound, and says whether it needs the flag: of two bounds the tighter one counts.
fn is_exclusive(schema: &mut Object, bound: &str, exclusive: &str) -> bool {
    let Some(value) = schema.remove(exclusive) else { return false };
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let is_tighter = schema.get(bound).is_none_or(|other| {
        if bound == "minimum" { number(&value) >= number(other) } else { number(&value) <= number(other) }
    });
    if is_tighter {
        schema.insert(bound.to_owned(), value);
    }
    is_tighter
}

#[cfg(test)]
mod tests;
