//! A JSON value held to a JSON Schema: the words that `pgproof schema` uses, and no others.

use serde_json::Value;

/// Panics where `value` is not what `schema` describes. A key of an object that the schema lists must be there: a
/// reader of format 1 finds every key in every report.
pub fn check(schema: &Value, value: &Value) {
    if let Err(why) = fits(schema, schema, value, "$") {
        panic!("{why}");
    }
}

fn fits(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let Value::Object(words) = schema else {
        return if *schema == Value::Bool(true) { Ok(()) } else { Err(format!("{at}: nothing fits here")) };
    };
    for (word, rule) in words {
        match word.as_str() {
            "$schema" | "$defs" | "title" | "description" | "format" | "default" => {}
            "$ref" => {
                let path = rule.as_str().and_then(|path| path.strip_prefix('#')).ok_or("a $ref elsewhere")?;
                let target = root.pointer(path).ok_or_else(|| format!("{at}: no {path}"))?;
                fits(root, target, value, at)?;
            }
            "type" => {
                let one = |name: &Value| is(name.as_str().unwrap_or_default(), value);
                let fits = rule.as_array().map_or_else(|| one(rule), |names| names.iter().any(one));
                if !fits {
                    return Err(format!("{at}: {value} is not {rule}"));
                }
            }
            "enum" if !list(rule).contains(value) => {
                return Err(format!("{at}: {value} is not one of {rule}"));
            }
            "const" if rule != value => return Err(format!("{at}: {value} is not {rule}")),
            "enum" | "const" => {}
            "anyOf" | "oneOf" => {
                let fitting = list(rule).iter().filter(|one| fits(root, one, value, at).is_ok()).count();
                if fitting == 0 || (word == "oneOf" && fitting > 1) {
                    return Err(format!("{at}: {value} fits {fitting} of {rule}"));
                }
            }
            "minimum" => {
                if value.is_number() && value.as_f64() < rule.as_f64() {
                    return Err(format!("{at}: {value} is below {rule}"));
                }
            }
            "maximum" => {
                if value.is_number() && value.as_f64() > rule.as_f64() {
                    return Err(format!("{at}: {value} is above {rule}"));
                }
            }
            "properties" => {
                let (Value::Object(keys), Value::Object(object)) = (rule, value) else { continue };
                for (key, rule) in keys {
                    let part = object.get(key).ok_or_else(|| format!("{at}: the key {key} is missing"))?;
                    fits(root, rule, part, &format!("{at}.{key}"))?;
                }
                if let Some(key) = object.keys().find(|key| !keys.contains_key(*key)) {
                    return Err(format!("{at}: the schema has no key {key}"));
                }
            }
            "required" => {
                for key in list(rule) {
                    if value.get(key.as_str().unwrap_or_default()).is_none() {
                        return Err(format!("{at}: {key} is required"));
                    }
                }
            }
            "items" => {
                for (i, part) in list(value).iter().enumerate() {
                    fits(root, rule, part, &format!("{at}[{i}]"))?;
                }
            }
            word => return Err(format!("{at}: this test does not know the schema's word {word}")),
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
