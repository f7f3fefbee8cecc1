//! CPU and memory of a worker, in Kubernetes' own words. Types, and the comparison of two quantities.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::patterns;

/// CPU and memory of a worker.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourcesSpec {
    /// What is set aside for it, as in cpu: 100m and memory: 64Mi.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts_schema")]
    pub requests: BTreeMap<String, Quantity>,

    /// What it may not exceed, as in memory: 128Mi.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "amounts_schema")]
    pub limits: BTreeMap<String, Quantity>,
}

fn amounts_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": {
            "maxLength": 32,
            "pattern": patterns::QUANTITY,
            "x-kubernetes-int-or-string": true,
        },
    })
}

/// The powers of ten (true) or of two (false) that a unit stands for.
const UNITS: &[(&str, bool, u32)] = &[
    ("Ki", false, 10),
    ("Mi", false, 20),
    ("Gi", false, 30),
    ("Ti", false, 40),
    ("Pi", false, 50),
    ("Ei", false, 60),
    ("k", true, 3),
    ("M", true, 6),
    ("G", true, 9),
    ("T", true, 12),
    ("P", true, 15),
    ("E", true, 18),
];

/// A quantity in thousandths; `None` when it is none, or too large to be one.
pub(crate) fn thousandths(quantity: &Quantity) -> Option<u128> {
    let text = quantity.0.as_str();
    if let Some(number) = text.strip_suffix('m') {
        return scaled(number, 1, 1);
    }
    if let Some((unit, ten, power)) = UNITS.iter().find(|(unit, ..)| text.ends_with(unit)) {
        let factor = if *ten { 10_u128.checked_pow(*power)? } else { 1_u128 << power };
        return scaled(text.strip_suffix(unit)?, factor, 1_000);
    }
    match text.split_once(['e', 'E']) {
        Some((number, power)) => scaled(number, 10_u128.checked_pow(power.parse().ok()?)?, 1_000),
        None => scaled(text, 1, 1_000),
    }
}

/// A decimal number times two factors, rounded down.
fn scaled(number: &str, factor: u128, parts: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}").parse::<u128>().ok()?;
    let divisor = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(digits.checked_mul(factor)?.checked_mul(parts)? / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_by_what_they_mean() {
        for (text, expected) in [
            ("1", Some(1_000)),
            ("250m", Some(250)),
            ("1.5", Some(1_500)),
            (".5", Some(500)),
            ("1Ki", Some(1_024_000)),
            ("0.5Gi", Some(536_870_912_000)),
            ("1M", Some(1_000_000_000)),
            ("1e3", Some(1_000_000)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("", None),
            ("lots", None),
            ("1e99", None),
        ] {
            assert_eq!(thousandths(&Quantity(text.to_owned())), expected, "{text}");
        }
    }
}
