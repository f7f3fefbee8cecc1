//! The PricePipeline resource: types, schema, rules, validation.
