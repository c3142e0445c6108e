//! The JSON schema of all that is printed, made from the types.

use schemars::{
    Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Value, json};

use super::{Output, words::FORMAT};

/// The schema of one line. Fields that it does not name are not printed.
pub(crate) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(NoOtherFields);
    let mut schema = settings.into_generator().into_root_schema_for::<Output>().to_value();
    let variants = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    for variant in variants.into_iter().flatten() {
        // Every line has the version beside its own fields.
        variant["properties"]["format"] = json!({ "type": "integer", "const": FORMAT });
        if let Some(required) = variant["required"].as_array_mut() {
            required.push("format".into());
        }
    }
    schema
}

/// Forbids fields that the schema does not name.
#[derive(Clone, Debug)]
struct NoOtherFields;

impl Transform for NoOtherFields {
    fn transform(&mut self, schema: &mut Schema) {
        if schema.get("properties").is_some() {
            schema.insert("additionalProperties".into(), false.into());
        }
        transform_subschemas(self, schema);
    }
}
