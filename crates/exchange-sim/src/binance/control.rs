//! What a client says on a Binance stream, and what it is answered. Pure.

use serde_json::{Value, json};

/// A control message.
#[derive(Debug, PartialEq)]
pub(super) struct Control {
    pub(super) id: Value,
    pub(super) method: Method,
}

#[derive(Debug, PartialEq)]
pub(super) enum Method {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
    List,
    /// Whether payloads are wrapped.
    SetCombined(bool),
    GetCombined,
}

const METHODS: &str = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`";

impl Control {
    /// Reads a message, or gives the answer to one that cannot be read.
    pub(super) fn read(text: &str) -> Result<Control, String> {
        let message: Value = serde_json::from_str(text)
            .map_err(|error| json!({ "code": 3, "msg": format!("Invalid JSON: {error}") }).to_string())?;
        let id = message.get("id").cloned().unwrap_or(Value::Null);
        if !is_id(&id) {
            let problem =
                "request ID must be an integer, an alphanumeric string of at most 36 characters, or null";
            return Err(invalid(&Value::Null, problem));
        }
        let params = message.get("params");
        let method = match message.get("method").and_then(Value::as_str) {
            Some("SUBSCRIBE") => streams(params).map(Method::Subscribe),
            Some("UNSUBSCRIBE") => streams(params).map(Method::Unsubscribe),
            Some("LIST_SUBSCRIPTIONS") => Ok(Method::List),
            Some("SET_PROPERTY") => property(params),
            Some("GET_PROPERTY") => Ok(Method::GetCombined),
            Some(other) => Err(format!("unknown variant `{other}`, expected one of {METHODS}")),
            None => Err("missing field `method`".to_owned()),
        };
        let method = method.map_err(|problem| invalid(&id, &problem))?;
        Ok(Control { id, method })
    }
}

fn is_id(id: &Value) -> bool {
    match id {
        Value::Null => true,
        Value::Number(number) => number.is_i64(),
        Value::String(text) => text.len() <= 36 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        _ => false,
    }
}

fn streams(params: Option<&Value>) -> Result<Vec<String>, String> {
    let params =
        params.and_then(Value::as_array).ok_or("missing field `params`, expected a list of streams")?;
    let names = params.iter().map(|name| name.as_str().map(str::to_owned));
    names.collect::<Option<_>>().ok_or_else(|| "invalid type in `params`, expected strings".to_owned())
}

fn property(params: Option<&Value>) -> Result<Method, String> {
    match params.and_then(Value::as_array).map(Vec::as_slice) {
        Some([name, Value::Bool(combined)]) if name == "combined" => Ok(Method::SetCombined(*combined)),
        _ => Err("property `combined` must be set to a boolean".to_owned()),
    }
}

/// The answer to a message that is refused.
pub(super) fn invalid(id: &Value, problem: &str) -> String {
    let message = Value::from(format!("Invalid request: {problem}"));
    format!(r#"{{"code":2,"msg":{message},"id":{id}}}"#)
}

/// The answer to a message that was carried out.
pub(super) fn done(id: &Value, result: &Value) -> String {
    format!(r#"{{"result":{result},"id":{id}}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_answered_as_the_exchange_does() {
        let read = Control::read(r#"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":"a1"}"#).unwrap();
        assert_eq!(
            read,
            Control { id: "a1".into(), method: Method::Subscribe(vec!["btcusdt@trade".into()]) }
        );
        assert_eq!(done(&1.into(), &Value::Null), r#"{"result":null,"id":1}"#);
        assert_eq!(
            Control::read("x").unwrap_err(),
            r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#
        );
        for faulty in [
            r#"{"method":"JOIN","id":1}"#,
            r#"{"id":1}"#,
            r#"{"method":"SUBSCRIBE","id":1}"#,
            r#"{"method":"SUBSCRIBE","params":[1],"id":1}"#,
            r#"{"method":"LIST_SUBSCRIPTIONS","id":1.5}"#,
        ] {
            assert!(Control::read(faulty).unwrap_err().contains("Invalid request: "), "{faulty}");
        }
    }
}
