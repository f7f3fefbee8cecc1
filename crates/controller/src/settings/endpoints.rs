//! Where exchanges are reached, for pipelines that do not say so. Pure.

use pricepipe_api::{SourceSpec, check_endpoint, check_stream_endpoint};
use pricepipe_core::{
    Exchange,
    config::{Feed, SourceConfig},
};

use super::{SettingsError, list};

/// The REST interface of Binance.
pub(super) const BINANCE: &str = "PRICEPIPE_BINANCE_ENDPOINTS";
/// The REST interface of Coinbase.
pub(super) const COINBASE: &str = "PRICEPIPE_COINBASE_ENDPOINTS";
/// The REST interface of Kraken.
pub(super) const KRAKEN: &str = "PRICEPIPE_KRAKEN_ENDPOINTS";
/// The streams of Binance.
pub(super) const BINANCE_STREAMS: &str = "PRICEPIPE_BINANCE_STREAM_ENDPOINTS";
/// The streams of Coinbase.
pub(super) const COINBASE_STREAMS: &str = "PRICEPIPE_COINBASE_STREAM_ENDPOINTS";
/// The streams of Kraken.
pub(super) const KRAKEN_STREAMS: &str = "PRICEPIPE_KRAKEN_STREAM_ENDPOINTS";

/// The base URLs of every exchange that the operator has chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints(Vec<Chosen>);

/// Those of one exchange; what is empty is the exchange's own.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chosen {
    exchange: Exchange,
    rest: Vec<String>,
    streams: Vec<String>,
}

impl Endpoints {
    /// # Errors
    /// The first that no pipeline may use either.
    pub(super) fn read(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, SettingsError> {
        let chosen = |exchange: &Exchange| {
            let (rest, streams) = variables(*exchange);
            Ok(Chosen {
                exchange: *exchange,
                rest: checked(rest, get(rest), check_endpoint)?,
                streams: checked(streams, get(streams), check_stream_endpoint)?,
            })
        };
        Exchange::ALL.iter().map(chosen).collect::<Result<_, _>>().map(Endpoints)
    }

    /// Gives a source the operator's endpoints where its spec names none.
    pub(super) fn fill(&self, source: &mut SourceConfig, spec: &SourceSpec) {
        let Some(chosen) = self.0.iter().find(|chosen| chosen.exchange == source.exchange) else { return };
        if spec.endpoints().is_empty() && !chosen.rest.is_empty() {
            source.endpoints_mut().clone_from(&chosen.rest);
        }
        if let Feed::Websocket(websocket) = &mut source.feed
            && spec.stream_endpoints().is_empty()
            && !chosen.streams.is_empty()
        {
            websocket.endpoints.clone_from(&chosen.streams);
        }
    }
}

/// The variables of an exchange: of its REST interface, and of its streams.
fn variables(exchange: Exchange) -> (&'static str, &'static str) {
    match exchange {
        Exchange::Binance => (BINANCE, BINANCE_STREAMS),
        Exchange::Coinbase => (COINBASE, COINBASE_STREAMS),
        Exchange::Kraken => (KRAKEN, KRAKEN_STREAMS),
    }
}

fn checked(
    variable: &'static str,
    text: Option<String>,
    check: fn(&str) -> Result<(), String>,
) -> Result<Vec<String>, SettingsError> {
    let endpoints: Vec<String> = list(text.as_deref().unwrap_or_default()).map(str::to_owned).collect();
    for endpoint in &endpoints {
        check(endpoint)
            .map_err(|problem| SettingsError { variable, problem: format!("{endpoint:?}: {problem}") })?;
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Settings, VARIABLES};

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn every_exchange_has_variables_that_are_documented() {
        for exchange in Exchange::ALL {
            let (rest, streams) = variables(*exchange);
            for variable in [rest, streams] {
                assert!(VARIABLES.iter().any(|(name, _)| *name == variable), "{variable}");
                assert!(variable.contains(&exchange.as_str().to_uppercase()), "{variable}");
            }
        }
    }

    #[test]
    fn an_endpoint_that_no_pipeline_may_use_is_named_with_its_variable() {
        let says =
            "169.254.169.254 is a link-local, multicast or unspecified address; name the exchange's host";
        for (variable, value) in
            [(COINBASE, "https://169.254.169.254"), (KRAKEN_STREAMS, "wss://169.254.169.254")]
        {
            let error = read(&[(variable, value)]).unwrap_err().to_string();
            assert_eq!(error, format!("{variable}: {value:?}: {says}"));
        }
        let error = read(&[(BINANCE_STREAMS, "https://a.example")]).unwrap_err().to_string();
        assert!(error.contains("an endpoint of streams is wss://host"), "{error}");
    }

    #[test]
    fn streams_and_history_have_the_operators_endpoints_where_the_pipeline_names_none() {
        let settings = read(&[
            (KRAKEN, "http://exchange.demo.svc:8990, https://mirror.example"),
            (KRAKEN_STREAMS, "ws://exchange.demo.svc:8990"),
        ]);
        let chosen = |websocket: &str| {
            let text = format!(
                "{{apiVersion: pricepipe.dev/v1alpha1, kind: PricePipeline, metadata: {{name: majors}}, spec: {{symbols: \
                 [{{symbol: BTC/USD}}], sources: [{{exchange: kraken, websocket: {websocket}}}]}}}}"
            );
            let resource = serde_saphyr::from_str(&text).unwrap();
            let source = settings.clone().unwrap().pipeline(&resource).unwrap().sources.remove(0);
            let Feed::Websocket(websocket) = &source.feed else { panic!("{source:?}") };
            [websocket.endpoints.join(" "), source.endpoints().join(" ")]
        };
        let operators =
            ["ws://exchange.demo.svc:8990", "http://exchange.demo.svc:8990 https://mirror.example"];
        assert_eq!(chosen("{stream: trade}"), operators);
        let own =
            "{stream: trade, endpoints: ['wss://a.example'], history: {endpoints: ['https://b.example']}}";
        assert_eq!(chosen(own), ["wss://a.example", "https://b.example"]);
    }
}
